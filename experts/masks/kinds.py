"""The six kinds of mask of VIVID-10M (Sec. 3.3): a mask that follows the object exactly tells a
model what to paint; the other five leave it open.

Every kind contains the exact mask. What is drawn by hand does not jitter, so boxes are
smoothed over time, while each still contains its mask.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Masks
from experts.masks.geometry import Mask, box_of, dilate

KINDS = ("exact", "expand", "hull", "box", "hull+expand", "box+expand")

SMOOTHING = 3
"""Frames to either side over which a box is smoothed."""


def augment(masks: Masks, kind: str, grow: int = 0) -> Masks:
    """`masks` [T, H, W] as another of KINDS; `grow` is the px that `expand` adds on every side.

    A frame without the object stays empty. Raises ValueError for a kind that is none.
    """
    match kind:
        case "exact":
            return masks.copy()
        case "expand":
            return _each(masks, lambda mask: dilate(mask, grow))
        case "hull":
            return _each(masks, hull)
        case "hull+expand":
            return _each(masks, lambda mask: dilate(hull(mask), grow))
        case "box":
            return _boxes(masks, 0)
        case "box+expand":
            return _boxes(masks, grow)
    raise ValueError(f"{kind!r} is no kind of mask; there are: {', '.join(KINDS)}")


def _each(masks: Masks, change: Callable[[Mask], Mask]) -> Masks:
    out = np.zeros_like(masks)
    for k in np.flatnonzero(masks.any(axis=(1, 2))):
        out[k] = change(masks[k])
    return out


def hull(mask: Mask) -> Mask:
    """Every pixel whose centre lies in the convex hull of the mask's pixel centres; exact, where
    a polygon filled by OpenCV is rounded along its edges."""
    points = cv2.findNonZero(mask.astype(np.uint8))
    if points is None:
        return mask.copy()
    corners = cv2.convexHull(points).reshape(-1, 2).astype(np.int64)
    (x0, y0), (x1, y1) = corners.min(0), corners.max(0)
    y, x = np.mgrid[y0 : y1 + 1, x0 : x1 + 1]
    inside = np.ones(x.shape, bool)
    ahead = np.roll(corners, -1, axis=0)
    turn = 1 if cv2.contourArea(corners.astype(np.int32), oriented=True) >= 0 else -1
    for (ax, ay), (bx, by) in zip(corners, ahead, strict=True):
        inside &= turn * ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) >= 0
    out = np.zeros_like(mask)
    out[y0 : y1 + 1, x0 : x1 + 1] = inside
    return out


def _boxes(masks: Masks, grow: int) -> Masks:
    height, width = masks.shape[1:]
    out = np.zeros_like(masks)
    alive = np.flatnonzero(masks.any(axis=(1, 2)))
    for run in np.split(alive, np.flatnonzero(np.diff(alive) > 1) + 1) if alive.size else []:
        boxes = np.array([box_of(masks[k]) for k in run], np.float64)
        low, high = -_smoothed(-boxes[:, :2]), _smoothed(boxes[:, 2:])
        for k, (x0, y0), (x1, y1) in zip(run, low, high, strict=True):
            left, top = max(0, int(np.floor(x0)) - grow), max(0, int(np.floor(y0)) - grow)
            right, bottom = int(np.ceil(x1)) + grow, int(np.ceil(y1)) + grow
            out[k, top : min(bottom, height), left : min(right, width)] = True
    return out


def _smoothed(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """[T, n], smoothed but nowhere below `edges`: the mean over a window of the maxima over
    windows, each of which contains the frame itself."""
    size = 2 * SMOOTHING + 1
    padded = np.pad(edges, ((SMOOTHING, SMOOTHING), (0, 0)), mode="edge")
    most = np.lib.stride_tricks.sliding_window_view(padded, size, axis=0).max(-1)
    padded = np.pad(most, ((SMOOTHING, SMOOTHING), (0, 0)), mode="edge")
    means: NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(
        padded, size, axis=0
    ).mean(-1)
    return means
