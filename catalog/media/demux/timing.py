"""From packets' timestamps to a constant frame rate, showing what a player would show.

Cameras, screen recorders and stream cutters seldom write evenly spaced timestamps. Four cases:

- *constant rate*: timestamps are evenly spaced but for rounding and jitter: each frame once.
- *dropped frames*: the steps between frames are whole multiples of one period (a camera in the
  dark, AVI's empty chunks): the rate of that period; a dropped frame repeats the one before it.
- *variable rate*: the mean rate, without freezes; tick `k` shows the newest frame at that time.
- *spliced*: timestamps go back, or jump ahead by more than :data:`JUMP`: the parts follow each
  other without a gap.

A picture shown for :data:`FREEZE` or longer is repeated as long as a player shows it, but listed as
a break, so that no clip contains or crosses it. So is each splice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

FREEZE = 1.0
"""Seconds from which one frame's duration is a freeze, unless the usual duration is that long."""

JUMP = 10.0
"""Seconds from which a step is an error of the clock: ffmpeg's `-dts_delta_threshold`."""

OUTLIER = 10
"""A freeze or a jump is also at least this many median steps: one frame an hour is a slow rate."""

JITTER = 0.9
"""In periods: greatest spread of a constant rate's timestamps around even spacing."""

OFF_TICK = 0.25
"""In periods: how far a step may be from a whole multiple and still count as one."""

ON_TICK = 0.5
"""For the case of dropped frames: least share of the duration that lies in steps of whole
multiples, and of steps that are one period long. Screen recorders, which write a frame when
something changes, stay below."""

SHORT_STEP_QUANTILE, ALL_ON_TICK = 0.2, 0.9
"""The period may also be this quantile of the steps, if this share of all steps are multiples of
it: a camera that slows down in the dark, or speeds up."""

MAX_AVI_DELAY = 3
"""Most chunks between the first two frames of an AVI that the delay of B-frames accounts for."""

SAME_RATE = 1e-3
"""Relative difference up to which the header's rate is taken: 29.97 becomes 30000/1001."""

Timestamps = tuple[int | None, int | None]
"""A packet's pts and dts, in the stream's time base."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a stream's frames are shown.

    `pts`: the timestamp of each decoded frame in the order shown; None if they do not identify the
    frames, which are then counted. `spliced`: `pts` jumps back somewhere. `grid`: the decoded frame
    shown at each tick of `1 / fps`; None if it is each frame once. `breaks`: half-open ranges of
    ticks that no clip may contain or cross; an empty range is a splice.
    """

    fps: float
    pts: NDArray[np.int64] | None
    spliced: bool
    grid: NDArray[np.int64] | None
    breaks: tuple[tuple[int, int], ...]


def timing(
    packets: Sequence[Timestamps], time_base: Fraction, rates: Sequence[Fraction | None]
) -> Timing:
    """The timing of a stream from the timestamps of its packets in decoding order, at least one.

    `rates`: frame rates that the header states, the likeliest first. If packets have no pts, as in
    AVI, the k-th frame shown gets the k-th dts.
    """
    nominal = [float(rate) for rate in rates if rate]
    counted = any(pts is None for pts, _ in packets)
    if counted:
        parts = _parts(_dts_as_pts([dts for _, dts in packets if dts is not None]))
    else:
        parts = _parts(packets)
    unknown = Timing(nominal[0] if nominal else 25.0, None, False, None, ())
    if sum(len(part) for part in parts) < len(packets):
        return unknown
    if any(len(np.unique(part)) < len(part) for part in parts):
        return unknown
    pts = np.concatenate(parts)
    spliced = len(parts) > 1
    found = _grid(parts, time_base, nominal)
    return Timing(found.fps, None if counted else pts, spliced, found.grid, found.breaks)


def _dts_as_pts(dts: list[int]) -> list[Timestamps]:
    """Decoding times taken as presentation times. AVI's muxers write empty chunks behind the first
    frame for the delay of B-frames; they do not lengthen its display."""
    if len(dts) > 2 and dts[1] - dts[0] <= MAX_AVI_DELAY * (dts[2] - dts[1]):
        dts = [max(dts[0], dts[1] - (dts[2] - dts[1])), *dts[1:]]
    return [(time, time) for time in dts]


def _parts(packets: Sequence[Timestamps]) -> list[NDArray[np.int64]]:
    """Presentation times in the order shown, one array for each part between splices."""
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
    """Rate, grid and breaks of the joined parts."""
    unit = float(time_base)
    steps = np.concatenate([np.diff(part) for part in parts]) * unit
    if len(steps) == 0:
        return _Grid(nominal[0] if nominal else 25.0)
    median = _lower_median(steps)
    freeze, jump = max(FREEZE, OUTLIER * median), max(JUMP, OUTLIER * median)
    regular = steps[steps < freeze]
    mean = float(regular.mean())

    # The steps of all parts; a splice counts as one mean step.
    joined = [np.diff(part) * unit for part in parts]
    whole = np.concatenate([np.append(j, np.nan) for j in joined])[:-1]
    splice = np.isnan(whole) | (whole > jump)
    whole[splice] = mean
    times = np.concatenate([[0.0], np.cumsum(whole)])
    count = len(times)

    if _constant(times, mean) and not (whole >= freeze).any():
        splices = tuple((int(k) + 1, int(k) + 1) for k in np.flatnonzero(splice))
        return _Grid(_rate_of_header(1 / mean, nominal), None, splices)
    period = _period(regular, whole[whole < freeze])
    if period is not None:
        fps = _rate_of_header(1 / period, nominal)
        ticks = _ticks(times * fps)
    else:
        fps = _rate_of_header(1 / mean, nominal)
        ticks = np.ceil(times * fps - 1e-6).astype(np.int64)
    grid = np.searchsorted(ticks, np.arange(ticks[-1] + 1), side="right") - 1
    breaks = tuple(
        (int(ticks[k + 1] if splice[k] else ticks[k] + 1), int(ticks[k + 1]))
        for k in np.flatnonzero((whole >= freeze) | splice)
    )
    even = len(grid) == count and np.array_equal(grid, np.arange(count))
    return _Grid(fps, None if even else grid, breaks)


def _constant(times: NDArray[np.float64], period: float) -> bool:
    """Whether times are evenly spaced but for jitter."""
    order = np.arange(len(times))
    slope, start = np.polyfit(order, times, 1)
    return bool(np.ptp(times - start - slope * order) < JITTER * period)


def _lower_median(steps: NDArray[np.float64]) -> float:
    """The median; of an even number the lower of the middle two, so that it is one of the steps."""
    return float(np.sort(steps)[(len(steps) - 1) // 2])


def _period(regular: NDArray[np.float64], steps: NDArray[np.float64]) -> float | None:
    """The period of which most steps are whole multiples, in seconds; None if there is none."""
    for quantile in (SHORT_STEP_QUANTILE, 0.5):
        about = np.sort(regular)[int((len(regular) - 1) * quantile)]
        near = regular[np.abs(regular - about) <= OFF_TICK * about]
        period = float(near.mean())  # the mean, since containers round timestamps
        multiples = np.rint(steps / period)
        on = (np.abs(steps - multiples * period) <= OFF_TICK * period) & (multiples > 0)
        if steps[on].sum() < ON_TICK * steps.sum():
            continue
        if on.mean() >= ALL_ON_TICK or (on & (multiples == 1)).mean() > ON_TICK:
            return period
    return None


def _ticks(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """The tick of each frame; `times` are in periods. Ticks are aligned to most of the frames."""
    phase = np.median(times - np.rint(times))
    ticks = np.rint(times - phase).astype(np.int64)
    return ticks - ticks[0]


def _rate_of_header(fps: float, nominal: Sequence[float]) -> float:
    """The rate in the header that `fps` is a rounding of, else `fps`."""
    return next((rate for rate in nominal if abs(rate / fps - 1) < SAME_RATE), fps)
