"""All frames of the footage brought to the place where the middle one saw them.

The camera's motion is estimated from corners outside the mask, between neighbouring frames and over
the whole picture, whatever part of it is measured afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.camera import Transform, accumulate, fit_transform, track_corners

LONG_SIDE = 320
"""px at which corners are tracked."""

Box = NDArray[np.float64]
"""x0, y0, x1, y1 as shares of the frame."""


def camera_steps(frames: NDArray[np.uint8], mask: NDArray[np.bool_]) -> list[Transform]:
    """The T − 1 homographies between neighbouring frames [T, h, w, 3], in shares of the frame;
    `mask` [T, h', w'] is what does not belong to the background."""
    height, width = frames.shape[1:3]
    scale = min(1.0, LONG_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    greys = [
        cv2.cvtColor(cv2.resize(f, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        for f in frames
    ]
    brush = np.ones((5, 5), np.uint8)
    free = [
        cv2.dilate(cv2.resize(m.astype(np.uint8), size, interpolation=cv2.INTER_AREA), brush) == 0
        for m in mask
    ]
    to_px = np.diag([size[0], size[1], 1.0])
    steps = []
    for (before, after), background in zip(pairwise(greys), free[:-1], strict=True):
        step = _step(np.asarray(before), np.asarray(after), background)
        steps.append(np.linalg.inv(to_px) @ step @ to_px)
    return steps


def _step(
    before: NDArray[np.uint8], after: NDArray[np.uint8], background: NDArray[np.bool_]
) -> Transform:
    """A similarity first, then a homography where enough corners agree with it: eight degrees of
    freedom fitted to few points bend the picture."""
    start, end = track_corners(before, after, background, max_corners=240, spacing=6)
    size = before.shape[0], before.shape[1]
    step = fit_transform(start, end, inlier_px=1.0, static_px=0.2, size=size)
    if np.array_equal(step, np.eye(3)):
        return step
    reached = np.c_[start, np.ones(len(start))] @ step.T
    near = np.hypot(*(reached[:, :2] - end).T) < 3
    if near.sum() < 40:
        return step
    finer = fit_transform(
        start[near], end[near], model="homography", inlier_px=0.8, min_points=40, size=size
    )
    return step if np.array_equal(finer, np.eye(3)) else finer


def to_middle(
    steps: Sequence[Transform], box: Box, size: tuple[int, int], spare: float = 0.5
) -> tuple[list[Transform], tuple[int, int]]:
    """Per frame the homography that brings its part `box`, measured at `size` (width, height) px,
    to the middle frame's, and the size of the picture that holds them all: larger than `size`
    where the camera moves, by at most `spare` of it to each side."""
    from_first = accumulate(steps)
    middle = len(from_first) // 2
    span = np.array([box[2] - box[0], box[3] - box[1]])
    into = np.array(
        [
            [size[0] / span[0], 0, -box[0] * size[0] / span[0]],
            [0, size[1] / span[1], -box[1] * size[1] / span[1]],
            [0, 0, 1.0],
        ]
    )
    out = np.linalg.inv(into)
    warps = [into @ from_first[middle] @ np.linalg.inv(m) @ out for m in from_first]
    ends = np.array([[0, 0, 1.0], [size[0], 0, 1], [0, size[1], 1], [size[0], size[1], 1]])
    corners = np.concatenate([ends @ w.T for w in warps])
    corners = corners[:, :2] / np.maximum(corners[:, 2:], 0.1)
    limit = spare * np.array(size)
    low = np.floor(np.clip(corners.min(0), -limit, 0))
    high = np.ceil(np.clip(corners.max(0), size, size + limit))
    shift = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1.0]])
    width, height = (high - low).astype(int)
    return [shift @ w for w in warps], (int(width), int(height))


def moved(planes: NDArray, warps: Sequence[Transform], size: tuple[int, int]) -> NDArray:
    """Float planes [T, h, w] or [T, h, w, 3] brought to the middle frame's place, `size` (width,
    height) px; NaN where they don't reach."""
    blank = (float("nan"),) * 4
    return np.stack(
        [
            cv2.warpPerspective(p, m, size, flags=cv2.INTER_LINEAR, borderValue=blank)
            for p, m in zip(planes, warps, strict=True)
        ]
    )
