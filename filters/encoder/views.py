"""The view of a pair that is encoded and measured: a box around the mask that follows it.

An edit of a small object is a few pixels of the whole frame, and features of the frame hardly move.
Both sides are seen through the same boxes, so that camera and box motion cancel in comparisons.
Without a mask the view is the frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CONTEXT = 1.6
"""A view's side over the mask's largest box: some surroundings, to see what was edited outside."""

LEAST_VIEW = 0.25
"""A view's side over the frame's, at least: a smaller one shows only blur and block edges."""


def view_boxes(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Boxes [T, 4] (x0, y0, x1, y1 as shares of the frame), all of one size, that follow the mask.

    Where the mask is empty the box is interpolated between its neighbours in time.
    """
    frames, height, width = mask.shape
    present = np.asarray(mask.any(axis=(1, 2)))
    centre, extent = np.zeros((2, frames)), np.zeros((2, frames))
    for axis, size in ((0, width), (1, height)):
        line = np.asarray(mask.any(axis=1 + axis))  # [T, w], then [T, h]
        for t in np.flatnonzero(present):
            marked = np.flatnonzero(line[t])
            first, last = marked[0], marked[-1] + 1
            centre[axis, t] = (first + last) / 2 / size
            extent[axis, t] = (last - first) / size
    when = np.flatnonzero(present)
    boxes = np.empty((frames, 4))
    for axis in (0, 1):
        side = min(1.0, max(LEAST_VIEW, CONTEXT * extent[axis].max()))
        middle = np.interp(np.arange(frames), when, centre[axis, when])
        boxes[:, axis] = np.clip(middle - side / 2, 0, 1 - side)
        boxes[:, axis + 2] = boxes[:, axis] + side
    return boxes


def crop(image: NDArray, box: NDArray[np.float64]) -> NDArray:
    """The part of an image [h, w] or [h, w, C] inside a box (x0, y0, x1, y1 as shares of it)."""
    height, width = image.shape[:2]
    x, y = int(box[0] * width), int(box[1] * height)
    w = max(1, round((box[2] - box[0]) * width))
    h = max(1, round((box[3] - box[1]) * height))
    return image[y : y + h, x : x + w]
