"""A sampled frame as the measures see it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

LONG_SIDE = 480
"""px; frames are scaled down to it before they are measured (smaller ones stay as they are). Half
of it loses the strokes of a small logo, twice of it costs four times as much."""

SMALL_SIDE = 160
"""px, long side of the copy that changes are looked for in: a mean over 3×3 pixels takes a sensor's
grain out, and what a codec does to a still picture."""

Gray = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """One frame: when, and its luma [h, w] at LONG_SIDE; at SMALL_SIDE its luma and the largest of
    its three colours."""

    time_s: float
    gray: Gray
    small: Gray
    small_peak: Gray


def sample(time_s: float, frame: NDArray[np.uint8]) -> SampledFrame:
    """Of a frame, RGB [h, w, 3]; one larger than LONG_SIDE is scaled down first."""
    frame = shrunk(frame, LONG_SIDE)
    small = shrunk(frame, SMALL_SIDE)
    return SampledFrame(
        time_s,
        cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY),
        cv2.cvtColor(small, cv2.COLOR_RGB2GRAY),
        small.max(axis=2),
    )


def shrunk(picture: NDArray[np.uint8], long_side: int) -> NDArray[np.uint8]:
    """The picture with its long side at most `long_side`, by area average."""
    height, width = picture.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
