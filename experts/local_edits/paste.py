"""Deletion masks (VIVID-10M, Sec. 3.2): the mask of an object from another clip is pasted on
background, so that the footage itself shows what deleting the object would have to bring back.

The paper finds background with a tagger, a detector and a background vocabulary. Without them this
looks for places that no tracked object ever crosses, that move as the camera does, and that show
little detail. It cannot say whether a place is road, grass or sky, and an object that was not
tracked may lie there, if it is plain and static; so the place's detail is recorded with it.

Constants are set by hand; `tests/flows/test_local_edits.py` checks what comes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.camera import Transform, deviation
from experts.annotate.motion.flow import Flow
from experts.base import Frames, Masks

Boxes = NDArray[np.float64]
"""[T, 4]: x0, y0, x1, y1, px."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mask is pasted: `x`, `y` is its first box's corner, px at the working size."""

    x: int
    y: int
    scale: float  # of the mask, working px per px of its own clip
    detail: float  # mean gradient at the place, levels per px
    usual_detail: float  # the picture's mean


@dataclass(frozen=True, slots=True)
class Background:
    """A clip's background at the working size."""

    free: Masks  # [T, h, w], where no object is
    detail: NDArray[np.float64]  # [h, w], gradient of the first frame, levels per px


def background_of(
    frames: Frames,
    objects: Masks,
    fields: Sequence[Flow],
    steps: Sequence[Transform],
    *,
    max_deviation: float = 1.0,
    speck: int = 3,
    clearance: int = 3,
) -> Background:
    """The background of `frames` [T, h, w, 3]: what is outside `objects` [T, h, w] and moves as the
    camera does, whose transforms are `steps`, in the optical flows `fields` (T − 1 of each).

    A pixel whose flow is `max_deviation` px or more from the camera's motion belongs to an object
    nobody tracked, unless it is in a patch narrower than twice `speck` px, which is noise. Objects
    are grown by `clearance` px.
    """
    gray = cv2.cvtColor(frames[0], cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)) / 8
    noise, brush = (np.ones((2 * radius + 1,) * 2, np.uint8) for radius in (speck, clearance))
    free = np.empty_like(objects)
    for t, mask in enumerate(objects):
        taken = mask.astype(np.uint8)
        if t < len(steps):
            deviates = (deviation(fields[t], steps[t]) >= max_deviation).astype(np.uint8)
            taken |= cv2.morphologyEx(deviates, cv2.MORPH_OPEN, noise)
        free[t] = cv2.dilate(taken, brush) == 0
    return Background(free, detail.astype(np.float64))


def relative_to_first(boxes: Boxes) -> Boxes:
    """Boxes relative to the corner of the first one: a trajectory without its place."""
    return boxes - np.tile(boxes[0, :2], 2)


def boxes_along(size: tuple[float, float], at: tuple[int, int], path: NDArray[np.float64]) -> Boxes:
    """The boxes of what lies on the background, at first in a box of `size` (width, height) with
    its corner at `at` (x, y); `path` [T, 3, 3] is the camera's motion since the first frame. px."""
    (w, h), (x, y) = size, at
    corners = np.array([[x, y, 1], [x + w, y, 1], [x, y + h, 1], [x + w, y + h, 1]], np.float64)
    moved = corners @ path[:, :2].transpose(0, 2, 1)  # [T, 4, 2]
    return np.concatenate([moved.min(1), moved.max(1)], axis=1)


def find_place(
    background: Background,
    trajectory: Boxes,
    path: NDArray[np.float64] | None,
    scale: float,
    rng: np.random.Generator,
    min_area: float,
    *,
    grid: int = 32,
    max_detail: float = 0.6,
    shrink: float = 0.75,
    tries: int = 5,
) -> Place | None:
    """A calm place for a mask whose box follows `trajectory` (of :func:`relative_to_first`, px of
    its own clip) or, with `path`, is fixed to the background in its first box; None if there is
    none.

    `scale` is tried first, then up to `tries` in all, each `shrink` times the one before, while the
    box covers `min_area` of the picture. A place is calm if its detail is at most `max_detail` of
    the picture's mean; `rng` chooses among all calm ones, since the calmest would always be the
    sky. `grid` places are tried along the longer side.
    """
    frames, height, width = background.free.shape
    blocked = np.stack([cv2.integral((~f).astype(np.uint8)) for f in background.free])
    detail = cv2.integral(background.detail)
    usual = float(background.detail.mean())
    for _ in range(tries):
        w, h = (trajectory[0, 2:] * scale).tolist()
        if w * h < min_area * width * height:
            return None
        found = []
        stride = max(width, height) // grid
        for y in range(1, int(height - h), stride):
            for x in range(1, int(width - w), stride):
                if path is None:
                    boxes = trajectory[:frames] * scale + [x, y, x, y]
                else:
                    boxes = boxes_along((w, h), (x, y), path[:frames])
                if _lies_free(boxes, blocked):
                    found.append((_sum(detail, boxes[:1])[0] / (w * h), x, y))
        calm = [place for place in found if place[0] <= max_detail * usual]
        if calm:
            mean, x, y = calm[int(rng.integers(len(calm)))]
            return Place(x, y, scale, round(float(mean), 3), round(usual, 3))
        scale *= shrink
    return None


def _lies_free(boxes: Boxes, blocked: NDArray[np.int32], min_visible: float = 0.7) -> bool:
    """Whether no object comes into the boxes, and `min_visible` of their area is in the picture on
    average; in the first frame all of it is."""
    height, width = (side - 1 for side in blocked.shape[1:])
    cut = np.clip(boxes, 0, [width, height, width, height])
    seen = (cut[:, 2:] - cut[:, :2]).prod(1) / (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return bool(seen.mean() >= min_visible and not _sum(blocked, cut).any())


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
