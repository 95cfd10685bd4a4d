"""Sizes: the largest of a wanted shape that fits, and cropping frames to it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput

BLOCK = 16
"""Sides are multiples of this many px: H.264's macroblock, and 8× latents patched by 2."""


def fit_size(
    width: int, height: int, target_h: int, target_w: int, multiple: int = BLOCK
) -> tuple[int, int]:
    """The largest `(height, width)` of the target's shape that fits into `width` × `height` px.

    Never larger than the target nor than the source, so nothing is upscaled. Both sides are rounded
    down to a multiple of `multiple`, which may bend the shape by less than one multiple. Raises
    BadInput (`too_small`) where not even one multiple fits.
    """
    if width * target_h <= height * target_w:
        fitted_w = min(width, target_w)
        fitted_h = fitted_w * target_h // target_w
    else:
        fitted_h = min(height, target_h)
        fitted_w = fitted_h * target_w // target_h
    size = (fitted_h // multiple * multiple, fitted_w // multiple * multiple)
    if 0 in size:
        raise BadInput(
            "too_small",
            f"{width}x{height} px holds no {target_w}x{target_h} shape in steps of {multiple} px; "
            "use a larger video",
        )
    return size


def crop_resize(frames: NDArray, size: tuple[int, int]) -> NDArray:
    """Centre crop to the shape of `size` (height, width), then resize.

    `frames` is `[T, H, W, 3]` or `[T, H, W]`, uint8 or bool; the dtype stays. Area average when
    shrinking, Lanczos when enlarging; a bool pixel is set where at least half of its area was.
    """
    height, width = size
    _, had_h, had_w = frames.shape[:3]
    crop_h = min(had_h, round(had_w * height / width))
    crop_w = min(had_w, round(had_h * width / height))
    top, left = (had_h - crop_h) // 2, (had_w - crop_w) // 2
    cropped = frames[:, top : top + crop_h, left : left + crop_w]
    if (crop_h, crop_w) == (height, width):
        return np.ascontiguousarray(cropped)
    how = cv2.INTER_AREA if height <= crop_h and width <= crop_w else cv2.INTER_LANCZOS4
    out = np.empty((len(frames), height, width, *frames.shape[3:]), frames.dtype)
    for k, frame in enumerate(cropped):
        if frames.dtype == bool:
            levels = cv2.resize(frame.astype(np.uint8) * 255, (width, height), interpolation=how)
            out[k] = levels >= 128
        else:
            out[k] = cv2.resize(frame, (width, height), interpolation=how)
    return out
