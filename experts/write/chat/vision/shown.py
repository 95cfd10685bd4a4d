"""The frames of a video that a vision-language model or a judge is shown."""

from __future__ import annotations

import math

import cv2
import numpy as np

from experts.base import Frames


def shown(clip: Frames, frames: int, max_pixels: int) -> Frames:
    """At most `frames` frames, evenly spaced from the first to the last, so that two videos of as
    many frames show the same instants, and scaled down to at most `max_pixels` each; never more
    than there are, and never larger ones. Only these are scaled."""
    count = min(frames, len(clip))
    picked = clip[np.linspace(0, len(clip) - 1, count).round().astype(int)]
    height, width = picked.shape[1:3]
    scale = math.sqrt(max_pixels / (height * width))
    if scale >= 1:
        return picked
    size = max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
    return np.stack([cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in picked])
