"""Does the made side move as the footage does, or has it stopped?

A frozen fill repeats itself at one place of the picture. Where the camera moves, what follows it
repeats itself at one place of the scene instead; where the camera stands, only what moves by itself
tells them apart, and a fill of what stands still is right to repeat itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.camera import Transform
from filters.features.registration import moved

TINY = 1.0 / 255
"""Colour 0–1 by which the codec alone changes a static picture from frame to frame."""

REPEATED = 1.2 / 255
"""Mean change of a region, colour 0–1, below which two frames of it are the same."""

Colours = NDArray[np.float32]
Plane = NDArray[np.float32]

MOTION_MEASURES = (
    "drifts",  # log: change at a place of the scene over that at a place of the picture, inside
    "drifts_more",  # less the same of the footage around it
    "drifts_most",  # of the sixth of the steps with the most
    "calm",  # log: change inside over that around
    "calm_half",  # of the half of the clip where it is least
    "calm_least",  # of the sixth of the steps with the least
    "calm_busy",  # of the places that change most: the best twentieth of pixels
    "repeats",  # share of the steps in which the inside repeats and what is around it does not
    "here",  # log: change inside over that of the same places while they are seen
    "here_half",
    "here_least",
    "here_busy",
    "crossing",  # log: change where the hole comes or goes over that around
    "crossing_most",
    "crossing_calm",  # log: change where the hole comes or goes over that inside
    "crossing_calm_half",  # of the half of the clip where it is greatest
    "outside",  # log: the made side's change outside of the mask over the footage's there
    "outside_least",
)


def motion(
    real: Colours,
    made: Colours,
    inside: Plane,
    warps: Sequence[Transform],
    size: tuple[int, int],
) -> list[float]:
    """MOTION_MEASURES of sides [T, h, w, 3] and a mask [T, h, w], all 0–1; `warps` and `size` as in
    filters.features.evidence."""
    before, after = (_steps(side) for side in (real, made))
    scene = _steps(moved(made, warps, size))
    held = inside > 0.5
    kernel = np.ones((3, 3), np.uint8)
    core = np.stack([cv2.erode(m.astype(np.uint8), kernel) for m in held]) > 0
    wide = np.stack([cv2.dilate(m.astype(np.uint8), np.ones((15, 15), np.uint8)) for m in held]) > 0
    free = inside < 0.02
    both = core[1:] & core[:-1]
    near = free[1:] & free[:-1] & (wide[1:] | wide[:-1])
    apart = free[1:] & free[:-1]
    crossing = (held[1:] & free[:-1]) | (free[1:] & held[:-1])
    seen = moved(held.astype(np.float32), warps, size)
    there = (np.nan_to_num(seen) > 0.9)[1:] & (np.nan_to_num(seen) > 0.9)[:-1]
    beside = (seen < 0.02)[1:] & (seen < 0.02)[:-1]
    inner, around = _means(after, both), _means(after, near)
    inner_scene, around_scene = _means(scene, there), _means(scene, beside)
    whole = _means(after, apart)
    footage = _means(before, apart)
    met = _means(after, crossing)
    drift = _log(inner_scene, inner)
    drift_around = _log(around_scene, whole)
    calm = _log(inner, around)
    cross, cross_calm = _log(met, around), _log(met, inner)
    outside = _log(whole, footage)
    usual, seen_ever = _usual(before, apart)
    here = both & seen_ever
    place = _log(_means(after, here), _means(np.broadcast_to(usual, after.shape), here))
    repeats = (inner < REPEATED) & (around > 3 * REPEATED)
    return [
        _average(drift),
        _average(drift - drift_around),
        _most(drift - drift_around),
        _average(calm),
        -_half(-calm),
        -_most(-calm),
        _busy(after, both, after, near),
        float(np.nanmean(np.where(np.isfinite(calm), repeats, np.nan))) if _any(calm) else 0.0,
        _average(place),
        -_half(-place),
        -_most(-place),
        _busy(after, here, np.broadcast_to(usual, after.shape), here),
        _average(cross),
        _most(cross),
        _average(cross_calm),
        _half(cross_calm),
        _average(outside),
        -_most(-outside),
    ]


def _steps(side: Colours) -> Plane:
    """[T − 1, h, w]: change from frame to frame, grain averaged out over 3×3 px; NaN at and beside
    what is NaN in the side [T, h, w, 3]."""
    out = []
    for change in np.diff(side, axis=0):
        missing = np.isnan(change[..., 0]).astype(np.float32)
        calm = np.abs(cv2.blur(np.nan_to_num(change), (3, 3))) @ np.full(3, 1 / 3, np.float32)
        out.append(np.where(cv2.blur(missing, (3, 3)) > 0, np.nan, calm))
    return np.asarray(np.stack(out), np.float32)


def _means(change: Plane, where: NDArray[np.bool_], least: int = 12) -> Plane:
    """[T − 1]; NaN where there are fewer than `least` pixels."""
    where = where & np.isfinite(change)
    counts = where.sum((1, 2))
    sums = np.where(where, change, 0).sum((1, 2))
    return np.where(counts >= least, sums / np.maximum(counts, 1), np.nan).astype(np.float32)


def _usual(change: Plane, seen: NDArray[np.bool_]) -> tuple[Plane, NDArray[np.bool_]]:
    """[h, w]: mean change of each place over the steps in which it is seen, and where that is."""
    counts = seen.sum(0)
    return np.asarray((change * seen).sum(0) / np.maximum(counts, 1), np.float32), counts >= 2


def _busy(
    change: Plane, inside: NDArray[np.bool_], other: Plane, around: NDArray[np.bool_]
) -> float:
    if inside.sum() < 40 or around.sum() < 40:
        return 0.0
    a, b = (float(np.quantile(c[w], 0.95)) for c, w in ((change, inside), (other, around)))
    return float(np.log((a + TINY) / (b + TINY)))


def _log(a: Plane, b: Plane) -> Plane:
    return np.asarray(np.log((a + TINY) / (b + TINY)), np.float32)


def _any(values: Plane) -> bool:
    return bool(np.isfinite(values).any())


def _average(values: Plane) -> float:
    return float(np.nanmean(values)) if _any(values) else 0.0


def _half(values: Plane) -> float:
    """Greatest mean of half of the steps in a row."""
    count = len(values) // 2
    if not _any(values) or count < 1:
        return _average(values)
    runs = [_average(values[i : i + count]) for i in range(len(values) - count + 1)]
    return max(runs)


def _most(values: Plane) -> float:
    """Mean of the greatest sixth."""
    if not _any(values):
        return 0.0
    ordered = np.sort(values[np.isfinite(values)])
    return float(ordered[-max(1, len(ordered) // 6) :].mean())
