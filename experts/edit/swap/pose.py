"""An object over the frames of an edit: where it stands, how large it is, how it moves, and what it
looks like meanwhile. Lengths are in heights of the object and places in shares of the picture, so
that clips of any size compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from experts.edit.swap.appearance import GRID, Appearance

EDGE_PX = 3
"""An object this near to the picture's edge is cut off by it."""

AGREED = 0.7
"""Share of an object's appearances that must show a colour for the object to be called by it."""


STRETCHES = 3
"""Equal parts of the time over which motion is compared: who stands first and walks then goes as
far as who walks slowly, but in the other's place one of them would slide."""


@dataclass(frozen=True, slots=True)
class Pose:
    """The pose of an object in its own clip, over a window of frames, with its mean appearance."""

    label: str
    height: float  # px, median
    width: float
    foot: tuple[float, float]  # x and y of the foot, shares of the picture
    motion: NDArray[np.float64]
    """[STRETCHES, 3], over each part of the time: speed over the ground, heights per second, right
    and down, and growth, d log(height) / dt, per second."""
    outline: NDArray[np.float32]  # [GRID, GRID] mean, 0–1
    lab: NDArray[np.float32]  # [2, 3], upper and lower half, medians over the appearances
    surround_lab: NDArray[np.float32]  # [3]
    blur: float
    colour: str  # "" if they disagree
    occluded: float  # the largest
    near_edge: bool  # whether the picture's edge cuts it off in some frame


def pose_of(
    label: str,
    boxes: NDArray[np.float64],
    camera: NDArray[np.float64],
    appearances: Sequence[Appearance],
    size: tuple[int, int],
    fps: float,
) -> Pose | None:
    """An object's pose over n frames: `boxes` [n, 4] px, none of them empty, `camera` [n, 2] the
    background's path, px, `appearances` in these frames, `size` (width, height) of the picture.
    None without an appearance."""
    if not appearances:
        return None
    heights = boxes[:, 3] - boxes[:, 1]
    feet = np.stack([boxes[:, [0, 2]].mean(1), boxes[:, 3]], axis=1)
    height = float(np.median(heights))
    x, y = np.median(feet, axis=0)
    low, high = boxes[:, :2].min(), boxes[:, 2:].max(0)
    near_edge = low < EDGE_PX or high[0] > size[0] - EDGE_PX or high[1] > size[1] - EDGE_PX
    return Pose(
        label=label,
        height=height,
        width=float(np.median(boxes[:, 2] - boxes[:, 0])),
        foot=(float(x) / size[0], float(y) / size[1]),
        motion=_motion((feet - camera) / height, np.log(np.maximum(heights, 1)), fps),
        outline=np.mean([_unpacked(a.outline) for a in appearances], axis=0).astype(np.float32),
        lab=np.median([a.lab for a in appearances], axis=0).reshape(2, 3).astype(np.float32),
        surround_lab=np.median([a.surround_lab for a in appearances], axis=0).astype(np.float32),
        blur=float(np.median([a.blur for a in appearances])),
        colour=_agreed([a.colour for a in appearances]),
        occluded=float(np.max([a.occluded for a in appearances])),
        near_edge=bool(near_edge),
    )


def _agreed(colours: Sequence[str]) -> str:
    best = max(sorted(set(colours)), key=colours.count)
    return best if colours.count(best) >= AGREED * len(colours) else ""


def _motion(
    feet: NDArray[np.float64], log_heights: NDArray[np.float64], fps: float
) -> NDArray[np.float64]:
    """[STRETCHES, 3] per second, by least squares over each stretch, which is robust to jitter."""
    values = np.column_stack([feet, log_heights])
    edges = np.linspace(0, len(values) - 1, STRETCHES + 1).round().astype(int)
    slopes = np.zeros((STRETCHES, values.shape[1]))
    for k, (first, last) in enumerate(pairwise(edges)):
        if last > first:
            slopes[k] = np.polyfit(np.arange(last - first + 1), values[first : last + 1], 1)[0]
    return slopes * fps


def _unpacked(rows: Sequence[int]) -> NDArray[np.float32]:
    bits = (np.asarray(rows, np.int64)[:, None] >> np.arange(GRID)) & 1
    return bits.astype(np.float32)
