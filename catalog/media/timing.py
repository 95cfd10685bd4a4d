"""From packets' time stamps to frames at a constant rate, as a player would show them.

What cameras, screen recorders and cut streams write is seldom even. Four shapes are told apart:

- *constant*: each picture lies on its tick, but for rounding and jitter: every picture once.
- *dropped frames*: the steps are whole multiples of one period (a camera in the dark, AVI's empty
  slots): that period's rate, a missing picture filled by the one before, as on a screen.
- *variable*: the mean rate of the steps that are no pause; tick `k` shows the newest picture then.
- *spliced*: the clock goes back, or leaps ahead by more than :data:`LEAP`: the parts follow each
  other without a gap.

A picture that stands for :data:`PAUSE` or longer is no footage: it is shown as long as a player
shows it, but listed, so that no clip is made of it or spans it. So is the place of a splice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

PAUSE = 1.0
"""Seconds from which a picture that stands still is a pause; slower constant rates have none."""

LEAP = 10.0
"""Seconds from which a step is a fault of the clock; FFmpeg's own bound (`dts_delta_threshold`)."""

OUTLIER = 10
"""A pause or a leap is also this many times the usual step: one picture an hour is a slow rate."""

JITTER = 0.9
"""Of a period: how far apart the pictures of a constant rate may be off their ticks."""

OFF_TICK = 0.25
"""Of a period: how far a step may be from a multiple of it, to count as dropped frames."""

ON_TICK = 0.5
"""Least share of the time that steps on ticks take, for the rate to be their period's; and of a
step's being one period long. Where pictures come only when something changes it is less."""

QUICK, ALL_ON_TICK = 0.2, 0.9
"""Where this share of the steps is shorter than the usual one, theirs is the period if this share
of all steps lies on its ticks: a camera that slows down in the dark, or speeds up."""

DELAY = 3
"""Slots between the first two pictures of an AVI that B-frames' delay explains, at most."""

SAME_RATE = 1e-3
"""Relative difference up to which the rate is the one in the header: 29.97 is 30000/1001."""

Stamp = tuple[int | None, int | None]
"""Presentation and decoding time of a packet, in the stream's time base."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a stream's pictures are shown.

    `stamps`: the decoder's time of each picture in the order shown; None where it has none that
    can be told apart, so that pictures are counted. `spliced`: these stamps do not only rise.
    `grid`: the picture shown at each tick; None where it is every picture once. `breaks`: half-open
    runs of ticks that no clip may hold or span; an empty run is a splice.
    """

    fps: float
    stamps: NDArray[np.int64] | None
    spliced: bool
    grid: NDArray[np.int64] | None
    breaks: tuple[tuple[int, int], ...]


def timing(
    packets: Sequence[Stamp], time_base: Fraction, rates: Sequence[Fraction | None]
) -> Timing:
    """The timing of a stream's packets, given in decoding order; there is at least one.

    `rates` are those the header names, the likeliest first. Where packets have no presentation
    time, as in AVI, the k-th picture shown is shown at the k-th decoding time.
    """
    nominal = [float(rate) for rate in rates if rate]
    counted = any(pts is None for pts, _ in packets)
    if counted:
        parts = _parts(_slots([dts for _, dts in packets if dts is not None]))
    else:
        parts = _parts(packets)
    even = Timing(nominal[0] if nominal else 25.0, None, False, None, ())
    if sum(len(part) for part in parts) < len(packets):
        return even
    if any(len(np.unique(part)) < len(part) for part in parts):
        return even
    stamps = np.concatenate(parts)
    spliced = len(parts) > 1
    found = _grid(parts, time_base, nominal)
    return Timing(found.fps, None if counted else stamps, spliced, found.grid, found.breaks)


def _slots(decoded: list[int]) -> list[Stamp]:
    """Decoding times as times of showing. AVI's writers fill the delay of B-frames with empty slots
    behind the first picture, which is no time that it is shown."""
    if len(decoded) > 2 and decoded[1] - decoded[0] <= DELAY * (decoded[2] - decoded[1]):
        decoded = [max(decoded[0], decoded[1] - (decoded[2] - decoded[1])), *decoded[1:]]
    return [(dts, dts) for dts in decoded]


def _parts(packets: Sequence[Stamp]) -> list[NDArray[np.int64]]:
    """Presentation times in the order shown, in one array from each restart of the clock."""
    parts: list[list[int]] = [[]]
    last: int | None = None
    for pts, dts in packets:
        if dts is not None:
            if last is not None and dts < last:
                parts.append([])
            last = dts
        assert pts is not None
        parts[-1].append(pts)
    return [np.array(sorted(part), np.int64) for part in parts]


@dataclass(frozen=True, slots=True)
class _Grid:
    fps: float
    grid: NDArray[np.int64] | None = None
    breaks: tuple[tuple[int, int], ...] = ()


def _grid(
    parts: Sequence[NDArray[np.int64]], time_base: Fraction, nominal: Sequence[float]
) -> _Grid:
    """Rate, grid and breaks of times that may restart."""
    unit = float(time_base)
    steps = np.concatenate([np.diff(part) for part in parts]) * unit
    if len(steps) == 0:
        return _Grid(nominal[0] if nominal else 25.0)
    usual = _usual(steps)
    pause, leap = max(PAUSE, OUTLIER * usual), max(LEAP, OUTLIER * usual)
    flowing = steps[steps < pause]
    mean = float(flowing.mean())

    # Steps over all parts, a splice as one mean step.
    joined = [np.diff(part) * unit for part in parts]
    whole = np.concatenate([np.append(j, np.nan) for j in joined])[:-1]
    splice = np.isnan(whole) | (whole > leap)
    whole[splice] = mean
    times = np.concatenate([[0.0], np.cumsum(whole)])
    count = len(times)

    if _constant(times, mean) and not (whole >= pause).any():
        splices = tuple((int(k) + 1, int(k) + 1) for k in np.flatnonzero(splice))
        return _Grid(_named(1 / mean, nominal), None, splices)
    period = _period(flowing, whole[whole < pause])
    if period is not None:
        fps = _named(1 / period, nominal)
        ticks = _ticks(times * fps)
    else:
        fps = _named(1 / mean, nominal)
        ticks = np.ceil(times * fps - 1e-6).astype(np.int64)
    grid = np.searchsorted(ticks, np.arange(ticks[-1] + 1), side="right") - 1
    breaks = tuple(
        (int(ticks[k + 1] if splice[k] else ticks[k] + 1), int(ticks[k + 1]))
        for k in np.flatnonzero((whole >= pause) | splice)
    )
    even = len(grid) == count and np.array_equal(grid, np.arange(count))
    return _Grid(fps, None if even else grid, breaks)


def _constant(times: NDArray[np.float64], period: float) -> bool:
    """Whether each time is at its own tick but for jitter."""
    order = np.arange(len(times))
    slope, start = np.polyfit(order, times, 1)
    return bool(np.ptp(times - start - slope * order) < JITTER * period)


def _usual(steps: NDArray[np.float64]) -> float:
    """The median, as one of the steps themselves."""
    return float(np.sort(steps)[(len(steps) - 1) // 2])


def _period(flowing: NDArray[np.float64], steps: NDArray[np.float64]) -> float | None:
    """The period of which most of the steps are whole multiples; None where there is none."""
    for share in (QUICK, 0.5):
        about = np.sort(flowing)[int((len(flowing) - 1) * share)]
        near = flowing[np.abs(flowing - about) <= OFF_TICK * about]
        period = float(near.mean())  # containers round times
        multiples = np.rint(steps / period)
        on = (np.abs(steps - multiples * period) <= OFF_TICK * period) & (multiples > 0)
        if steps[on].sum() < ON_TICK * steps.sum():
            continue
        if on.mean() >= ALL_ON_TICK or (on & (multiples == 1)).mean() > ON_TICK:
            return period
    return None


def _ticks(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """The tick of each picture, of times in periods; ticks lie where most pictures do."""
    phase = np.median(times - np.rint(times))
    ticks = np.rint(times - phase).astype(np.int64)
    return ticks - ticks[0]


def _named(fps: float, nominal: Sequence[float]) -> float:
    return next((rate for rate in nominal if abs(rate / fps - 1) < SAME_RATE), fps)
