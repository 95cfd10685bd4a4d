"""Small geometry of masks: bool [H, W], True where the object is."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in px; x1 and y1 are exclusive."""


def box_of(mask: Mask) -> Box | None:
    """The tightest box around `mask`; None if it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def merged(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Where any of the masks is set; they have one shape, and there is at least one."""
    both = masks[0].copy()
    for mask in masks[1:]:
        both |= mask  # in place: a reduction would first stack them all
    return both


def iou(a: Mask, b: Mask) -> float:
    """Intersection over union, 0–1; 0 if both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0–1; 0 if both are empty."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def dilate(mask: Mask, radius: int) -> Mask:
    """`mask` grown by `radius` px (shrunk if negative), with a round brush."""
    if radius == 0:
        return mask.copy()
    size = 2 * abs(radius) + 1
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    # Beyond the frame nothing is known: the border neither grows into the mask nor eats it.
    operation = cv2.dilate if radius > 0 else cv2.erode
    return np.asarray(operation(mask.astype(np.uint8), brush) > 0)


def feather(mask: Mask, radius: float) -> NDArray[np.float32]:
    """Weights 0–1 that are 1 in `mask` and fall linearly to 0 at `radius` px outside it."""
    if radius <= 0 or not mask.any():
        return mask.astype(np.float32)
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(np.clip(1 - distance / radius, 0, 1), dtype=np.float32)


def clean(mask: Mask, island: float = 0.1, hole: float = 0.01) -> Mask:
    """`mask` without its specks.

    A component smaller than `island` times the largest one goes (an object cut in two by something
    in front keeps both parts); a hole smaller than `hole` times the mask is filled (a wheel's or
    a handle's real opening stays).
    """
    box = box_of(mask)
    if box is None:
        return mask.copy()
    x0, y0, x1, y1 = (int(value) for value in box)
    # Everything happens inside the box; a rim of one pixel keeps what is outside in one piece.
    inner = cv2.copyMakeBorder(
        mask[y0:y1, x0:x1].astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0
    )
    _, parts, stats, _ = cv2.connectedComponentsWithStats(inner, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    areas[0] = 0
    kept = (areas >= island * areas.max())[parts] & (inner > 0)
    _, gaps, stats, _ = cv2.connectedComponentsWithStats((~kept).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < hole * np.count_nonzero(kept)
    small[0] = False
    result = np.zeros_like(mask)
    result[y0:y1, x0:x1] = (kept | small[gaps])[1:-1, 1:-1]
    return result
