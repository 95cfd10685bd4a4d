"""Does what was filled in agree with the frames that show what is there?

Where an object or a hole moves, other frames of the real side show the place that it hides. All
frames are warped to the middle one along the camera's motion; the median, per pixel, of the frames
that show it is taken as the background. The fill is compared with the background, and so are the
real side's surroundings of the hole: how well they agree is how well a right fill can agree on this
footage.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

LEAST_FRAMES = 3
"""Frames that must show a pixel: of fewer, a median is no better than one."""

LEAST_SHARE = 0.05
"""Share of the hole that other frames must show; below it there is too little to compare."""

OUTSIDE = 0.02
"""Mask value, 0–1, below which a pixel is outside: resizing the mask smears its rim."""

MOST_CORNERS = 120
LEAST_CORNERS = 8
"""Corners that are tracked between two frames; with fewer the camera is taken as static."""

STATIC_PX = 0.3
STATIC_SHARE = 0.4
"""Where so large a share of the corners moved by less than STATIC_PX, the camera is static."""

RANSAC_PX = 0.7
"""Distance, px, within which a corner agrees with the camera's motion."""

_TINY = 0.004
"""Luma 0–1: a grey level, below which a difference may be compression's."""

Plane = NDArray[np.float32]
Matrix = NDArray[np.float64]

FIGURES = 4


def evidence(real: Plane, made: Plane, inside: Plane, ring: Plane) -> list[float]:
    """FIGURES of luma planes [T, h, w], 0–1, for a hole `inside` and its surroundings `ring`.

    They are the fill's mean difference from the background over the surroundings' difference from
    it, the same of its worst tenth, its fine detail over the background's (all three logarithms),
    and the share of the hole that other frames show. Zeros where that is too little.
    """
    outside = inside < OUTSIDE
    if outside.all() or not outside.any() or not (inside > 0.5).any():
        return [0.0] * FIGURES
    warps = _to_middle(real, outside)
    size = real.shape[2], real.shape[1]

    def moved(plane: Plane) -> Plane:
        """All frames warped to the middle one; NaN where they don't reach."""
        blank = (float("nan"),) * 4
        return np.stack(
            [
                cv2.warpAffine(p, m, size, flags=cv2.INTER_LINEAR, borderValue=blank)
                for p, m in zip(plane, warps, strict=True)
            ]
        )

    seen_real, seen_made = moved(real), moved(made)
    hole, around = moved(inside), moved(ring)
    free = np.where(hole < OUTSIDE, seen_real, np.nan)  # NaN compares as False: not seen
    count = np.isfinite(free).sum(0)
    known = count >= LEAST_FRAMES
    truth = np.full(known.shape, np.nan, np.float32)
    truth[known] = _median(free[:, known], count[known])
    filled = (hole > 0.9) & known & np.isfinite(seen_made)
    beside = (around > 0.5) & known & np.isfinite(seen_real)
    share = float(filled.sum() / max(1, int((hole > 0.9).sum())))
    if share < LEAST_SHARE or not beside.any():
        return [0.0] * (FIGURES - 1) + [share]
    wrong, usual = np.abs(seen_made - truth)[filled], np.abs(seen_real - truth)[beside]
    worst = [float(np.quantile(each, 0.9)) for each in (wrong, usual)]
    fine = np.stack([np.abs(cv2.Laplacian(frame, cv2.CV_32F)) for frame in seen_made])
    there = np.broadcast_to(np.abs(cv2.Laplacian(truth, cv2.CV_32F)), fine.shape)
    both = filled & np.isfinite(fine) & np.isfinite(there)
    detail = _log(float(fine[both].mean()), float(there[both].mean())) if both.any() else 0.0
    return [
        _log(float(wrong.mean()), float(usual.mean())),
        _log(worst[0], worst[1]),
        detail,
        share,
    ]


def _median(values: Plane, count: NDArray[np.intp]) -> Plane:
    """[N] of [T, N] with NaNs, `count` of which are none; tenfold faster than numpy's."""
    ordered = np.sort(values, axis=0)  # NaNs come last
    ends = (np.take_along_axis(ordered, k[None], axis=0)[0] for k in ((count - 1) // 2, count // 2))
    return np.asarray(sum(ends) / 2, np.float32)


def _to_middle(real: Plane, outside: NDArray[np.bool_]) -> list[Matrix]:
    """Per frame the 2×3 matrix that warps it to the middle frame."""
    greys = np.rint(real * 255).astype(np.uint8)
    steps = [_step(a, b, free) for (a, b), free in zip(pairwise(greys), outside[:-1], strict=True)]
    total = np.eye(3)
    from_first = [total]
    for step in steps:
        total = step @ total
        from_first.append(total)
    middle = from_first[len(real) // 2]
    return [(middle @ np.linalg.inv(m))[:2] for m in from_first]


def _step(a: NDArray[np.uint8], b: NDArray[np.uint8], free: NDArray[np.bool_]) -> Matrix:
    """3×3 matrix from `a` to `b`: the similarity that corners outside the hole agree on."""
    static = np.eye(3)
    start = cv2.goodFeaturesToTrack(a, MOST_CORNERS, 0.01, 4, mask=free.astype(np.uint8))
    if start is None or len(start) < LEAST_CORNERS:
        return static
    end, found, _ = cv2.calcOpticalFlowPyrLK(a, b, start, None, winSize=(11, 11), maxLevel=3)
    ok = found.ravel() == 1
    start, end = start[ok], end[ok]
    moved = np.hypot(*(end - start).reshape(-1, 2).T)
    if len(start) < LEAST_CORNERS or np.mean(moved < STATIC_PX) > STATIC_SHARE:
        return static
    matrix, _ = cv2.estimateAffinePartial2D(
        start, end, method=cv2.RANSAC, ransacReprojThreshold=RANSAC_PX
    )
    return static if matrix is None else np.vstack([matrix, [0.0, 0.0, 1.0]])


def _log(a: float, b: float) -> float:
    return float(np.log((a + _TINY) / (b + _TINY)))
