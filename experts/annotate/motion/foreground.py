"""What differs from a clip's still background, frame by frame: its objects, if masks are right.

Background subtraction (Stauffer and Grimson, CVPR 1999) knows no objects, and a tracker no
background, so where they agree both are right. Small walkers' legs show how that helps: no two
ways of tracking them agree well, and yet the masks cover what came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.media.image import Transparent
from experts.annotate.motion.still_background import ALIKE, MOST_ALIKE
from experts.masks.geometry import Mask
from experts.masks.packed import PackedMasks

MOST_KNOWN = 0.9
"""Share of the pixels behind an object that must be known to say that it is uncovered."""

NEAR = 0.008
"""How far around a mask what differs may be the object's, as a share of the picture's longer side:
as far as a removal's hole is grown."""

_SPECK = 3  # px, the median's side: differences of a pixel or two are noise


class Foreground:
    """Where the frames of a clip differ from `background` [H, W, 4], filled while they go by."""

    def __init__(self, background: Transparent) -> None:
        self._colour, self._known = background[..., :3], background[..., 3] == 255
        height, width = self._known.shape
        self._changed = PackedMasks(height, width)
        radius = max(1, round(NEAR * max(height, width)))
        self._near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)

    def watch(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        """`frames` [H, W, 3], each compared."""
        for number, frame in enumerate(frames):
            off = cv2.absdiff(frame, self._colour).max(axis=-1)
            changed = ((off > ALIKE) & self._known).astype(np.uint8)
            self._changed[number] = cv2.medianBlur(changed, _SPECK) > 0
            yield frame

    def uncovers(self, masks: Sequence[Mask]) -> bool:
        """Whether the background shows what is behind the object of `masks` [T][H, W], in nearly
        all places; not if that stood there itself when it was made."""
        hidden = known = changed = 0
        for number, mask in enumerate(masks):
            if mask.any():
                hidden += int(np.count_nonzero(mask))
                known += int(np.count_nonzero(mask & self._known))
                changed += int(np.count_nonzero(mask & self._changed[number]))
        return known >= MOST_KNOWN * hidden and changed >= (1 - MOST_ALIKE) * known > 0

    def agreement(self, masks: Sequence[Mask]) -> NDArray[np.float32]:
        """How well each mask covers what differs in and near it: their IoU, [T]; 0 where it is
        empty."""
        found = np.zeros(len(masks), np.float32)
        for number, mask in enumerate(masks):
            if mask.any():
                near = cv2.dilate(mask.astype(np.uint8), self._near) > 0
                changed = self._changed[number] & near
                found[number] = np.count_nonzero(mask & changed) / np.count_nonzero(mask | changed)
        return found
