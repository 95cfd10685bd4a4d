"""The frames of a video that a judge is shown."""

from __future__ import annotations

import math

import cv2
import numpy as np

from filters.base import Frames


def side(video: Frames, frames: int, max_pixels: int) -> Frames:
    """uint8 [≤ frames, h, w, 3]: evenly spaced from the first to the last, so that two sides of as
    many frames show the same instants, and scaled down to at most `max_pixels` each. Never more
    frames than there are, and never larger ones."""
    count = min(frames, len(video))
    picked = video[np.linspace(0, len(video) - 1, count).round().astype(int)]
    height, width = picked.shape[1:3]
    scale = math.sqrt(max_pixels / (height * width))
    if scale >= 1:
        return picked
    size = max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in picked])
