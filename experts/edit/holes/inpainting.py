"""A black hole that moves: the source side of inpainting; the target is the whole footage."""

from __future__ import annotations

from typing import Any

import numpy as np

from experts.base import EditRequest, EditResult, Masks
from experts.edit.weightless import Weightless

HOLE_SIDE = (0.25, 0.45)
"""Each side of the hole, share of the frame's: 6–20 % of the frame is missing."""

FAR_ENDS = 0.3
"""The path starts in the first and ends in the last such share of its main axis (or the other way
round), so that the hole is never still: Señorita-2M's holes move over time."""


def moving_hole(
    frames: int, height: int, width: int, rng: np.random.Generator
) -> tuple[Masks, dict[str, Any]]:
    """A rectangle or ellipse wholly inside the frame, on a straight path: masks and what was drawn.

    In the returned mapping `size` is (height, width) and `start`, `end` are (y, x) of the hole's
    top left corner in the first and last frame, all in px.
    """
    shape = str(rng.choice(["rectangle", "ellipse"]))
    hole = [max(2, round(rng.uniform(*HOLE_SIDE) * side)) for side in (height, width)]
    room = np.array([height - hole[0], width - hole[1]], np.float64)
    start, end = rng.uniform(0, 1, 2), rng.uniform(0, 1, 2)
    axis = int(rng.integers(2))
    start[axis], end[axis] = start[axis] * FAR_ENDS, 1 - end[axis] * FAR_ENDS
    if rng.integers(2):
        start, end = end, start

    y, x = np.mgrid[: hole[0], : hole[1]]
    if shape == "ellipse":
        ry, rx = hole[0] / 2, hole[1] / 2
        stamp = ((y + 0.5 - ry) / ry) ** 2 + ((x + 0.5 - rx) / rx) ** 2 <= 1
    else:
        stamp = np.ones((hole[0], hole[1]), bool)

    masks = np.zeros((frames, height, width), bool)
    for mask, share in zip(masks, np.linspace(0, 1, frames), strict=True):
        top, left = np.rint((start + share * (end - start)) * room).astype(int)
        mask[top : top + hole[0], left : left + hole[1]] = stamp
    info = {
        "shape": shape,
        "size": hole,
        "start": np.rint(start * room).astype(int).tolist(),
        "end": np.rint(end * room).astype(int).tolist(),
    }
    return masks, info


class Inpainting(Weightless):
    """Blacks the hole out; shape, size and path are drawn from the seed and told in `info`."""

    name = "moving_hole"
    version = "1"

    def edit(self, request: EditRequest) -> EditResult:
        count, height, width, _ = request.frames.shape
        masks, info = moving_hole(count, height, width, np.random.default_rng(request.seed))
        frames = request.frames.copy()
        frames[masks] = 0
        return EditResult(frames, masks, info)
