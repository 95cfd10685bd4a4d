"""Tracked objects compared with what differs from the background: masks completed by it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from experts.annotate.motion.foreground import Foreground
from experts.annotate.tracking.results import TrackedObject
from experts.masks.geometry import Mask, box_of
from experts.masks.packed import MaskTrack

MOST_ADDED = 0.3
"""Of a mask's own pixels that may be added to it: more is another object that touches it."""


def completed(
    found: TrackedObject, others: Sequence[TrackedObject], foreground: Foreground
) -> TrackedObject:
    """The object with the limbs that its masks left out, and as sure as these cover what came.

    A mask that something larger touches stays as it is, and agrees with less. What `others` have is
    not this object's.
    """
    masks: list[Mask] = []
    confidence, boxes = found.confidence.copy(), found.boxes.copy()
    for number in range(len(found.masks)):
        mask = found.masks[number]
        if mask.any():
            taken = np.zeros_like(mask)
            for other in others:
                other.masks.paint(number, taken)
            around = foreground.around(number, mask, taken & ~mask)
            if np.count_nonzero(around & ~mask) <= MOST_ADDED * np.count_nonzero(mask):
                mask = around
            agreement = foreground.agreement(number, mask, around)
            confidence[number] = max(confidence[number], agreement)
            boxes[number] = box_of(mask)
        masks.append(mask)
    return dataclasses.replace(
        found,
        masks=MaskTrack(masks, found.masks.shape[1:]),
        confidence=confidence,
        boxes=boxes,
    )
