"""What the detector saw at the keyframes, held against the tracks that came of it: how steadily it
gave an object its label, and which objects of that kind no track follows.

A tracker follows the largest few objects. Whoever reads "the person on the right" sees all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from experts.annotate.detection.kinds import alike
from experts.annotate.tracking.association import Detected
from experts.masks.geometry import Box, box_iou

Sightings = Mapping[int, Sequence[Detected]]
"""By frame, what was detected in it, boxes in px of the clip. A frame without any is in it too."""

SAME_IOU = 0.5
"""Box IoU from which a detection and a track are one object: of two that do not overlap, only one
can reach it."""

PART = 0.6
"""Share of a detection's box inside a track's from which it may be a part of that object: a person
is detected once more without their legs."""


def mean_score(label: str, boxes: NDArray[np.float32], seen: Sightings) -> float | None:
    """The detector's mean score over the keyframes in the object's life, 0 where it saw nothing of
    that kind there; None without a keyframe. `boxes` [T, 4] are zeros where there is no object."""
    alive = {frame: _box(boxes[frame]) for frame in seen if boxes[frame].any()}
    if not alive:
        return None
    best = [
        max(
            (d.score for d in seen[frame] if alike(d.label, label) and _same(d.box, box)), default=0
        )
        for frame, box in alive.items()
    ]
    return float(np.mean(best))


def unfollowed(
    label: str, tracks: Sequence[NDArray[np.float32]], seen: Sightings
) -> list[tuple[int, Box]]:
    """The frame and box of each detection that might be taken for `label` and is none of the
    `tracks` of that kind (their boxes [T, 4])."""
    return [
        (frame, one.box)
        for frame, detected in sorted(seen.items())
        for one in detected
        if alike(one.label, label)
        and not any(_covers(_box(boxes[frame]), one.box) for boxes in tracks)
    ]


def _box(row: NDArray[np.float32]) -> Box:
    x0, y0, x1, y1 = map(float, row)
    return x0, y0, x1, y1


def _same(a: Box, b: Box) -> bool:
    return box_iou(a, b) >= SAME_IOU


def _covers(track: Box, detected: Box) -> bool:
    if _same(track, detected):
        return True
    width = min(track[2], detected[2]) - max(track[0], detected[0])
    height = min(track[3], detected[3]) - max(track[1], detected[1])
    area = (detected[2] - detected[0]) * (detected[3] - detected[1])
    return min(width, height) > 0 and width * height >= PART * area
