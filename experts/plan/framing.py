"""Which part of a clip an edit shows: the whole, cut to the task's shape, or a frame around the
object, so that a small one is worth looking at and none is cut off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.records import Clip, Track

Boxes = NDArray[np.float64]
"""[n, 4]: x0, y0, x1, y1, px of the clip unless said otherwise; zeros where absent."""

PADDING = 2.2
"""Sides of a crop around an object over those of the box that holds its whole trajectory."""


EDGE = 3
"""px; a box this near to the clip's edge is on its way out of the picture, or in."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A rectangle of a clip of the size `of` (width, height), px."""

    x: int
    y: int
    width: int
    height: int
    of: tuple[int, int]

    def view(self, boxes: Boxes) -> Boxes:
        """Boxes […, 4] as shares of the crop's sides; what lies outside is cut off, and a box quite
        outside is all zeros."""
        shares = (boxes - [self.x, self.y, self.x, self.y]) / self._sides
        cut = np.clip(shares, 0, 1)
        seen = (cut[..., 2] > cut[..., 0]) & (cut[..., 3] > cut[..., 1])
        return np.where(seen[..., None], cut, 0.0)

    def share_in_view(self, boxes: Boxes) -> float:
        """The least share of a box that lies inside."""
        return float(
            (area_of(self.view(boxes) * self._sides) / np.maximum(area_of(boxes), 1)).min()
        )

    def leaves(self, box: NDArray[np.float64]) -> bool:
        """Whether a box touches the edge of the clip."""
        width, height = self.of
        x0, y0, x1, y1 = box
        return bool(min(x0, y0) < EDGE or x1 > width - EDGE or y1 > height - EDGE)

    def cuts(self, box: NDArray[np.float64]) -> bool:
        """Whether part of what is in a box lies beyond the crop, or may lie beyond the clip."""
        x0, y0, x1, y1 = box - [self.x, self.y, self.x, self.y]
        return bool(min(x0, y0) < 0 or x1 > self.width or y1 > self.height) or self.leaves(box)

    @property
    def _sides(self) -> NDArray[np.float64]:
        return np.array([self.width, self.height] * 2, np.float64)


def widest(clip: Clip, height: int, width: int) -> Crop:
    """The largest middle part of the shape height:width."""
    crop_width = min(clip.width, round(clip.height * width / height))
    crop_height = min(clip.height, round(clip.width * height / width))
    return Crop(
        (clip.width - crop_width) // 2,
        (clip.height - crop_height) // 2,
        crop_width,
        crop_height,
        (clip.width, clip.height),
    )


def around(clip: Clip, boxes: Boxes, height: int, width: int, place: float = 0.5) -> Crop:
    """A frame of the shape height:width around an object's trajectory, with PADDING to see where it
    is; never smaller than the edit, so nothing is enlarged. The trajectory's middle lies at `place`
    of the width."""
    most = widest(clip, height, width)
    there = present(boxes)
    (x0, y0), (x1, y1) = there[:, :2].min(0), there[:, 2:].max(0)
    wanted = max(width, PADDING * (x1 - x0), PADDING * (y1 - y0) * width / height)
    crop_width = min(most.width, round(wanted))
    crop_height = min(most.height, round(crop_width * height / width))
    x = round(np.clip((x0 + x1) / 2 - place * crop_width, 0, clip.width - crop_width))
    y = round(np.clip((y0 + y1 - crop_height) / 2, 0, clip.height - crop_height))
    return Crop(x, y, crop_width, crop_height, most.of)


def never_uncovered(boxes: Boxes, camera: NDArray[np.float64], margin: float = 0.0) -> float:
    """px² of background that stays in every frame behind the boxes, grown by `margin` px to each
    side; `camera` [n, 2] is the background's own motion over the same frames. For a camera that
    pans; 0 if the object is gone for a while."""
    on_ground = boxes - np.tile(camera, 2)
    sides = on_ground[:, 2:].min(0) - on_ground[:, :2].max(0) + 2 * margin
    return float(np.clip(sides, 0, None).prod()) if len(present(boxes)) == len(boxes) else 0.0


def boxes_of(track: Track) -> Boxes:
    """One box per frame of the clip."""
    return np.asarray(track.boxes, np.float64).reshape(-1, 4)


def present(boxes: Boxes) -> Boxes:
    """Without those of frames in which the object is absent."""
    return boxes[boxes[:, 2] > boxes[:, 0]]


def area_of(boxes: Boxes) -> NDArray[np.float64]:
    """px² of each box."""
    areas: NDArray[np.float64] = (boxes[..., 2:] - boxes[..., :2]).prod(-1)
    return areas
