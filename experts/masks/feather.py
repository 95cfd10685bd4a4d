"""Pasting what was made into footage: untouched outside the mask, and without a hard edge."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Frames, Masks

FEATHER = 2.0
"""px inside the mask over which what was made fades in."""


def fade(mask: NDArray[np.bool_], feather: float = FEATHER) -> NDArray[np.float32]:
    """0 outside, rising to 1 within `feather` px of the mask's edge; [H, W]."""
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(np.clip(inside / feather, 0, 1), np.float32)


def pasted(frames: Frames, made: Frames, masks: Masks, feather: float = FEATHER) -> Frames:
    """`made` inside the masks, `frames` outside, bit for bit; [T, H, W, 3]."""
    share = np.stack([fade(mask, feather) for mask in masks])[..., None]
    mixed = np.rint(frames + share * (made.astype(np.float32) - frames))
    return np.asarray(mixed, np.uint8)


def dilated(masks: Masks, share: float) -> Masks:
    """Masks [T, H, W] grown by `share` of the picture's longer side: soft edges, motion blur and
    ringing lie outside a segmenter's mask."""
    if not share:
        return masks.copy()
    radius = max(1, round(share * max(masks.shape[1:])))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    return np.stack([cv2.dilate(mask.astype(np.uint8), disc) for mask in masks]).astype(bool)
