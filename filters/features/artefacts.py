"""Measures of the artefacts that each way to fail leaves in the pixels of the made side.

They are taken on luma and colour at a small size, averaged over the frames, and always against the
real side or against the made side's own surroundings (a ring around the mask). No constant here
decides anything: a trained model weighs the measures.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.features.evidence import grey

RING = 10
"""px around the mask that show what the made region should look like."""

NEAR, FAR = 4, 26
"""px: a displaced copy is looked for between these; nearer, every picture resembles itself."""

SLIP = 5
"""px by which a ghost of the real side may be displaced."""

BINS = 32

STRIDE = 2
"""Every second frame is looked at for what does not depend on time."""

TONES = (
    "black",  # shares of pixels: all channels empty
    "white",  # all full
    "burnt",  # one channel full
    "crushed",  # one empty
    "garish",  # one full and another empty
    "fewest",  # entropy, nats, of the tones of the channel with the fewest
    "entropy",  # mean over the channels
    "flat",  # share of pixels without fine detail
    "even",  # the fine detail's mean over its root mean square
)

_TINY = 1e-4

Plane = NDArray[np.float32]


def artefact_measures(real: Plane, made: Plane, mask: Plane | None) -> list[float]:
    """All measures of two sides RGB [T, h, w, 3], 0–1, of one size, inside the mask [T, h, w], 0–1,
    or everywhere where that is None."""
    if mask is None:
        inside = ring = np.ones(made.shape[:3], np.float32)
    else:
        inside = mask
        kernel = np.ones((2 * RING + 1, 2 * RING + 1), np.uint8)
        ring = np.stack([cv2.dilate(m, kernel) for m in mask]) * (mask < _TINY)
    before, after = (side @ np.array([0.299, 0.587, 0.114], np.float32) for side in (real, made))
    few = slice(None, None, STRIDE)
    regions = (inside[few],) * 2 if mask is None else (inside[few], ring[few])
    return [
        *_copies(before[few], after[few], inside[few]),
        *_bands(before[few], after[few], *regions),
        *_tones(real[few], made[few], *regions),
        *_coverage(real[few], made[few], *regions),
        *_stillness(before, after, inside, ring),
    ]


def _mean(plane: Plane, weight: Plane) -> float:
    return float((plane * weight).sum() / (weight.sum() + _TINY))


def _log(a: float, b: float, tiny: float = _TINY) -> float:
    return float(np.log((a + tiny) / (b + tiny)))


def _copies(real: Plane, made: Plane, inside: Plane) -> list[float]:
    """Ghosts: made's fine detail repeated at a distance, or the real side's within it."""
    edge = [cv2.erode(m, np.ones((5, 5), np.uint8)) for m in inside]  # not the mask's outline
    edges = np.stack(edge) if min(e.sum() for e in edge) > 50 else inside
    waves = []
    for side in (real, made):
        fine = np.stack([cv2.Laplacian(f, cv2.CV_32F) for f in side]) * edges
        waves.append(np.fft.rfft2(fine))
    a, b = waves
    size = real.shape[1:]
    power = [np.log((w * w.conj()).real + 1e-3).mean(0) for w in (a, b)]
    echoes = [np.fft.irfft2(p, size) for p in power]
    own = [np.fft.irfft2((w * w.conj()).sum(0), size) for w in (a, b)]
    ys, xs = (np.minimum(np.arange(n), n - np.arange(n)) for n in size)
    away = np.hypot(ys[:, None], xs[None])
    band = (away >= NEAR) & (away <= FAR)
    peaks = [(o / (o[0, 0] + _TINY))[band] for o in own]
    echo = [e[band] for e in echoes]  # power cepstrum: an echo is a peak at its displacement
    cross = np.fft.irfft2((a.conj() * b).sum(0), size) / np.sqrt(
        own[0][0, 0] * own[1][0, 0] + _TINY
    )
    near = cross[away <= SLIP]
    around = cross[(away > SLIP) & (away <= FAR)]
    return [
        float(peaks[1].max()),
        float(peaks[1].max() - peaks[0].max()),
        float(peaks[1].max() / (peaks[1].std() + _TINY)),
        float(peaks[1].min()),
        float(echo[1].max()),
        float(echo[1].max() - echo[0].max()),
        float(echo[1].max() / (echo[1].std() + _TINY)),
        float(cross[0, 0]),
        float(near.max()),
        float(near.max() / (around.std() + _TINY)),
        float(around.max()),
    ]


def _bands(real: Plane, made: Plane, inside: Plane, ring: Plane) -> list[float]:
    """Smears: the made side lacks fine detail, or has it in one direction only."""
    energies, slants = [], []
    for side, weights in ((real, (inside, ring)), (made, (inside, ring))):
        levels = [side]
        for sigma in (0.8, 1.6, 3.2, 6.4):
            levels.append(np.stack([cv2.GaussianBlur(f, (0, 0), sigma) for f in side]))
        bands = [(p - q) ** 2 for p, q in pairwise(levels)]
        across, down = np.diff(side, axis=2) ** 2, np.diff(side, axis=1) ** 2
        for weight in weights:
            energies.append([_mean(band, weight) for band in bands])
            slants.append(_log(_mean(across, weight[:, :, 1:]), _mean(down, weight[:, 1:]), 1e-6))
    # Rows: real inside, real around, made inside, made around
    logs = np.log(np.array(energies) + 1e-6)
    relative = logs[2] - logs[0], logs[2] - logs[3], logs[3] - logs[1]
    return [
        *(float(v) for r in relative for v in (*r, r[0] - r[2], r[1] - r[3])),
        *(float(v) for v in -np.diff(logs[2])),
        abs(slants[2]),
        abs(slants[2] - slants[0]),
        abs(slants[2] - slants[3]),
    ]


def _tones(real: Plane, made: Plane, inside: Plane, ring: Plane) -> list[float]:
    """Colour collapse: tones missing, burnt, black, or in flat patches."""

    before, after = tones(real, inside), tones(made, inside)
    around = after if ring is inside else tones(made, ring)
    return [float(v) for v in (*after, *(after - before), *(after - around))]


def tones(side: Plane, weight: Plane) -> NDArray[np.float64]:
    """TONES of a side [T, h, w, 3] where `weight` [T, h, w] says."""
    red, green, blue = side[..., 0], side[..., 1], side[..., 2]
    lowest = np.minimum(np.minimum(red, green), blue)  # tenfold faster than .min(-1)
    highest = np.maximum(np.maximum(red, green), blue)
    entropies = []
    for channel in range(3):
        bins = np.minimum(side[..., channel] * BINS, BINS - 1).astype(int).ravel()
        share = np.bincount(bins, weight.ravel(), BINS) / (weight.sum() + _TINY)
        entropies.append(-(share * np.log(share + 1e-9)).sum())
    fine = np.abs(np.stack([cv2.Laplacian(f, cv2.CV_32F) for f in side[..., 1]]))
    mean = _mean(fine, weight)
    return np.array(
        [
            _mean((highest < 0.06).astype(np.float32), weight),
            _mean((lowest > 0.94).astype(np.float32), weight),
            _mean((highest > 0.97).astype(np.float32), weight),
            _mean((lowest < 0.03).astype(np.float32), weight),
            _mean(((highest > 0.9) & (lowest < 0.1)).astype(np.float32), weight),
            min(entropies),
            float(np.mean(entropies)),
            _mean((fine < 0.01).astype(np.float32), weight),
            mean / (np.sqrt(_mean(fine**2, weight)) + _TINY),
        ]
    )


def _coverage(real: Plane, made: Plane, inside: Plane, ring: Plane) -> list[float]:
    """Wrong masks: parts of the region that did not change, and change beside it."""
    change = grey(np.abs(made - real))
    step = max(1, change[0].size * len(change) // 40000)
    values = change[inside > 0.9][::step] if (inside > 0.9).any() else change.ravel()
    low, some, middle, most = np.quantile(values, (0.1, 0.3, 0.5, 0.9))
    cells = np.stack([cv2.resize(c, (8, 6), interpolation=cv2.INTER_AREA) for c in change])
    held = np.stack([cv2.resize(w, (8, 6), interpolation=cv2.INTER_AREA) for w in inside])
    cells = cells.mean(0)[held.mean(0) > 0.3] if (held.mean(0) > 0.3).any() else cells.ravel()
    beside = _mean(change, ring)
    return [
        _log(low, most, 0.004),
        _log(some, most, 0.004),
        _log(middle, most, 0.004),
        float((values < 0.012).mean()),
        float((values < 0.25 * values.mean()).mean()),
        float((cells < 0.012).mean()),
        _log(float(cells.min()), float(np.median(cells)), 0.004),
        _log(beside, float(values.mean()), 0.004),
        _log(beside, 0.0, 0.004),
    ]


def _stillness(real: Plane, made: Plane, inside: Plane, ring: Plane) -> list[float]:
    """Frozen frames: the made side is static where the footage, or its own surroundings, move."""
    both = inside[1:] * inside[:-1]
    courses = []
    for side, weight in ((real, both), (made, both), (made, ring[1:])):
        moved = np.abs(np.diff(side, axis=0)) * weight
        detail = np.abs(np.diff(side, axis=2))[1:] * weight[:, :, 1:]
        courses.append(moved.sum((1, 2)) / (detail.sum((1, 2)) + 1e-3 * weight.sum((1, 2)) + _TINY))
    before, after, around = courses
    out = []
    for other in (before, around):
        ratio = np.log((after + 0.01) / (other + 0.01))
        ordered = np.sort(ratio)
        out += [float(ordered[:3].mean()), float(np.median(ratio)), float(ordered[-3:].mean())]
        middle = len(ratio) // 2
        early, late = ratio[: max(1, middle)], ratio[middle:]  # one step alone is both
        out += [float(abs(late.mean() - early.mean())), float(ratio.std())]
    static = after < 0.35 * np.maximum(before, around)
    out += [float(static.mean()), float(after.min()), float(np.sort(after)[:4].mean())]
    deviations = float(after.std() * before.std())
    together = float(((after - after.mean()) * (before - before.mean())).mean())
    out.append(together / (deviations + 1e-6))
    return out
