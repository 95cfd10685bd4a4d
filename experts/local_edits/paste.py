"""Deletion masks (VIVID-10M, Sec. 3.2): the mask of an object from another clip is laid over
background, so that the footage itself shows what deleting the object would have to bring back.

The paper finds background with a tagger, a detector and a background vocabulary. Without them this
looks for places that no tracked object ever crosses, that move as the camera does, and that show
little detail. It can't say whether a place is road, grass or sky, and an object nobody tracked may
lie there, if it is plain and keeps still; so the place's detail is handed out with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.camera import Transform, deviation
from experts.annotate.flow import Flow
from experts.base import Frames, Masks

GRID = 32
"""Places tried along the longer side."""

CLEAR = 3
"""px kept between a pasted mask's box and every object, at the working size."""

DEVIATES_PX = 1.0
"""What moves by more than this otherwise than the camera does not belong to the background."""

SPECK = 3
"""px; patches of stray flow narrower than twice this are noise."""

VISIBLE = 0.7
"""Mean share of the box that stays in the picture; in the first frame it is all there."""

SHRINK = 0.75
TRIES = 5
"""A mask that finds no place is shrunk by SHRINK and tried again, TRIES times in all."""

CALM = 0.6
"""Most detail of a place over the picture's mean; the seed chooses among all calm ones, since the
calmest would always be the sky."""

Boxes = NDArray[np.float64]
"""[T, 4]: x0, y0, x1, y1, px."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mask is laid: `x`, `y` is its first box's corner, px at the working size."""

    x: int
    y: int
    scale: float  # of the mask, working px per px of its own clip
    detail: float  # mean gradient at the place, levels per px
    usual_detail: float  # the picture's mean


@dataclass(frozen=True, slots=True)
class Ground:
    """A clip's background at the working size."""

    free: Masks  # [T, h, w], where no object is
    detail: NDArray[np.float64]  # [h, w] of the first frame, levels per px


def ground(
    frames: Frames, occupied: Masks, fields: Sequence[Flow], steps: Sequence[Transform]
) -> Ground:
    """The background of `frames` [T, h, w, 3], outside `occupied` [T, h, w] and outside what does
    not move as the camera does (`steps`, with the flows `fields`)."""
    gray = cv2.cvtColor(frames[0], cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)) / 8
    speck, brush = (np.ones((2 * radius + 1,) * 2, np.uint8) for radius in (SPECK, CLEAR))
    free = np.empty_like(occupied)
    for t, mask in enumerate(occupied):
        taken = mask.astype(np.uint8)
        if t < len(steps):
            astray = (deviation(fields[t], steps[t]) >= DEVIATES_PX).astype(np.uint8)
            taken |= cv2.morphologyEx(astray, cv2.MORPH_OPEN, speck)
        free[t] = cv2.dilate(taken, brush) == 0
    return Ground(free, detail.astype(np.float64))


def travel(boxes: Boxes) -> Boxes:
    """A box's way, relative to the corner of its first place: what a trajectory is."""
    return boxes - np.tile(boxes[0, :2], 2)


def carried(size: tuple[float, float], at: tuple[int, int], path: NDArray[np.float64]) -> Boxes:
    """The way of a box of `size` (width, height) that the background carries from `at` along
    `path` [T, 3, 3]; px of the picture."""
    (w, h), (x, y) = size, at
    corners = np.array([[x, y, 1], [x + w, y, 1], [x, y + h, 1], [x + w, y + h, 1]], np.float64)
    moved = corners @ path[:, :2].transpose(0, 2, 1)  # [T, 4, 2]
    return np.concatenate([moved.min(1), moved.max(1)], axis=1)


def find_place(
    where: Ground,
    way: Boxes,
    path: NDArray[np.float64] | None,
    scale: float,
    rng: np.random.Generator,
    min_area: float,
) -> Place | None:
    """A calm place for a mask whose box goes `way` (see :func:`travel`, px of its own clip), or,
    with `path`, is carried along it from its first box; None if the picture has none.

    `scale` is tried first, then smaller ones, while the box covers `min_area` of the picture.
    """
    frames, height, width = where.free.shape
    blocked = np.stack([cv2.integral((~f).astype(np.uint8)) for f in where.free])
    detail = cv2.integral(where.detail)
    usual = float(where.detail.mean())
    for _ in range(TRIES):
        w, h = (way[0, 2:] * scale).tolist()
        if w * h < min_area * width * height:
            return None
        found = []
        step = max(width, height) // GRID
        for y in range(1, int(height - h), step):
            for x in range(1, int(width - w), step):
                if path is None:
                    boxes = way[:frames] * scale + [x, y, x, y]
                else:
                    boxes = carried((w, h), (x, y), path[:frames])
                if _lies_free(boxes, blocked):
                    found.append((_sum(detail, boxes[:1])[0] / (w * h), x, y))
        calm = [place for place in found if place[0] <= CALM * usual]
        if calm:
            mean, x, y = calm[int(rng.integers(len(calm)))]
            return Place(x, y, scale, round(float(mean), 3), round(usual, 3))
        scale *= SHRINK
    return None


def _lies_free(boxes: Boxes, blocked: NDArray[np.int32]) -> bool:
    height, width = (side - 1 for side in blocked.shape[1:])
    cut = np.clip(boxes, 0, [width, height, width, height])
    seen = (cut[:, 2:] - cut[:, :2]).prod(1) / (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return bool(seen.mean() >= VISIBLE and not _sum(blocked, cut).any())


def _sum(integral: NDArray[np.generic], boxes: Boxes) -> NDArray[np.float64]:
    """Sums over boxes in an integral image [h, w], or in one per box [T, h, w]."""
    limit = np.array(integral.shape[-2:])[::-1] - 1
    low = np.clip(np.floor(boxes[:, :2]), 0, limit).astype(int)
    high = np.clip(np.ceil(boxes[:, 2:]), 0, limit).astype(int)
    (x0, y0), (x1, y1) = low.T, high.T
    at = (np.arange(len(boxes)),) if integral.ndim == 3 else ()
    sums = integral[*at, y1, x1].astype(np.float64)
    return sums - integral[*at, y0, x1] - integral[*at, y1, x0] + integral[*at, y0, x0]


def paste(masks: Masks, matrices: NDArray[np.float64], size: tuple[int, int]) -> Masks:
    """`masks` [T, h, w] moved by `matrices` [T, 2, 3] into pictures of `size` (height, width)."""
    height, width = size
    out = np.zeros((len(masks), height, width), bool)
    for k, (mask, matrix) in enumerate(zip(masks, matrices, strict=True)):
        soft = cv2.warpAffine(mask.astype(np.float32), matrix, (width, height))
        out[k] = soft >= 0.5
    return out
