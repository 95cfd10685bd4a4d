"""Whether a picture of the background can tell what is behind an object: not if it shows that."""

from __future__ import annotations

import numpy as np

from catalog.media.image import Transparent
from experts.base import Frames, Masks

ALIKE = 20
"""Levels of 255 in every channel within which the object and the picture show the same."""

MOST_ALIKE = 0.5
"""Share of the object's pixels: above it, it stood there itself when the picture was taken."""

EVERY = 4  # frames, rows and columns that are compared


def shows_the_object(background: Transparent, frames: Frames, masks: Masks) -> bool:
    """Whether the object of `masks` [T, H, W] seems to be part of `background` [H, W, 4]."""
    frames, masks, background = (
        frames[::EVERY, ::EVERY, ::EVERY],
        masks[::EVERY, ::EVERY, ::EVERY],
        background[::EVERY, ::EVERY],
    )
    inside = masks & (background[..., 3] == 255)
    if not inside.any():
        return False
    shown = np.broadcast_to(background[..., :3], frames.shape)[inside]
    there = frames[inside]
    off = np.maximum(there, shown) - np.minimum(there, shown)
    return bool((off.max(axis=-1) <= ALIKE).mean() > MOST_ALIKE)
