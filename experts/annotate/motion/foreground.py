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
from experts.masks.geometry import Mask, box_of
from experts.masks.packed import PackedMasks

MOST_KNOWN = 0.9
"""Share of the pixels behind an object that must be known to say that it is uncovered."""

REACH = 0.4
"""How far around a mask what differs may be the object's, in widths and heights of its box."""

SHADOW = (0.5, 0.95)
"""What darkens the background to between these shares, all channels alike, is a shadow (as in
Horprasert et al., ICCV Frame-Rate Workshop 1999)."""

TINT = 0.1
"""How far these shares of the channels may lie apart in a shadow."""

_SPECK = 3  # px, the median's side: differences of a pixel or two are noise


class Foreground:
    """Where the frames of a clip differ from `background` [H, W, 4], filled while they go by."""

    def __init__(self, background: Transparent) -> None:
        self._colour, self._known = background[..., :3], background[..., 3] == 255
        height, width = self._known.shape
        self._changed, self._solid = (PackedMasks(height, width) for _ in range(2))

    def watch(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        """`frames` [H, W, 3], each compared."""
        for number, frame in enumerate(frames):
            red, green, blue = cv2.split(cv2.absdiff(frame, self._colour))
            off = cv2.max(cv2.max(red, green), blue)  # numpy's takes ten times as long
            different = ((off > ALIKE) & self._known).astype(np.uint8)
            changed = cv2.medianBlur(different, _SPECK) > 0
            solid = changed.copy()
            solid[changed] = ~_shadow(frame[changed], self._colour[changed])
            self._changed[number], self._solid[number] = changed, solid
            yield frame

    def uncovers(self, masks: Sequence[Mask]) -> bool:
        """Whether the background shows what is behind the object of `masks` [T][H, W], in nearly
        all places; not if that stood there itself when it was made."""
        hidden = known = changed = 0
        for number, mask in enumerate(masks):
            if mask.any():
                changed += int(np.count_nonzero(self._changed[number][mask]))
                known += int(np.count_nonzero(self._known[mask]))
                hidden += int(np.count_nonzero(mask))
        return known >= MOST_KNOWN * hidden and changed >= (1 - MOST_ALIKE) * known > 0

    def around(self, number: int, mask: Mask, taken: Mask) -> Mask:
        """All of frame `number` that differs in and close around the object of `mask` [H, W] and
        hangs together with it, but for shadows and what other objects have `taken`; with the mask.
        """
        box = box_of(mask)
        if box is None:
            return mask
        x0, y0, x1, y1 = box
        width, height = REACH * (x1 - x0), REACH * (y1 - y0)
        rows = slice(max(0, int(y0 - height)), int(y1 + height))
        columns = slice(max(0, int(x0 - width)), int(x1 + width))
        part = (self._solid[number][rows, columns] & ~taken[rows, columns]) | mask[rows, columns]
        _, labels = cv2.connectedComponents(part.astype(np.uint8))
        own = np.unique(labels[mask[rows, columns]])
        found = mask.copy()
        found[rows, columns] |= np.isin(labels, own[own > 0])
        return found

    def agreement(self, number: int, mask: Mask, around: Mask) -> float:
        """How well the mask covers what differs `around` it: their IoU."""
        changed = (self._changed[number] & mask) | (around & ~mask)
        union = np.count_nonzero(mask | changed)
        return float(np.count_nonzero(mask & changed) / union) if union else 0.0


def _shadow(colour: NDArray[np.uint8], background: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pixels [N, 3] are the background's under a shadow."""
    share = colour / np.maximum(background, 1).astype(np.float32)
    least, most = share.min(axis=-1), share.max(axis=-1)
    shadow: NDArray[np.bool_] = (least >= SHADOW[0]) & (most <= SHADOW[1]) & (most - least <= TINT)
    return shadow
