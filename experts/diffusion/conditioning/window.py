"""A temporal window of a clip, resized and cropped to the size a model is run at."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.base import Frames, Masks
from experts.diffusion.latents import Size

Video = TypeVar("Video", Frames, Masks)


def window_indices(
    length: int, frames: int, stride: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Indices [frames] of a random window, `stride` apart, in a clip of `length` frames.

    Raises BadInput (`too_short`) where the clip is shorter than the window.
    """
    begins = length - (frames - 1) * stride
    if begins < 1:
        raise BadInput(
            "too_short", f"{length} frames, {(frames - 1) * stride + 1} needed; lower the stride"
        )
    return rng.integers(begins) + stride * np.arange(frames)


def resize_and_crop(frames: Frames, size: Size) -> Frames:
    """Frames [T, H, W, 3] scaled down to cover the size and cropped at the centre.

    Raises BadInput (`too_small`) where they would have to be scaled up.
    """
    if frames.shape[1] < size[1] or frames.shape[2] < size[2]:
        raise BadInput(
            "too_small",
            f"{frames.shape[2]}×{frames.shape[1]}, {size[2]}×{size[1]} needed; use larger clips",
        )
    return np.stack([_cover(frame, size, cv2.INTER_AREA) for frame in frames])


def resize_and_crop_masks(masks: Masks, size: Size) -> Masks:
    """Masks [T, H, W] as `resize_and_crop` does it, scaled up where needed."""
    covering = [_cover(mask.astype(np.uint8), size, cv2.INTER_NEAREST) for mask in masks]
    return np.stack(covering).astype(bool)


def ping_pong(video: Video, frames: int) -> Video:
    """Frames or masks [T, …] as [frames, …]: cut, or played forward and backward in turn."""
    cycle = np.concatenate([np.arange(len(video)), np.arange(len(video) - 2, 0, -1)])
    extended: Video = video[np.resize(cycle, frames)]
    return extended


def _cover(image: NDArray[np.uint8], size: Size, interpolation: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = max(size[1] / height, size[2] / width)
    scaled_height = max(size[1], round(height * scale))
    scaled_width = max(size[2], round(width * scale))
    if (scaled_height, scaled_width) != (height, width):
        resized = cv2.resize(image, (scaled_width, scaled_height), interpolation=interpolation)
        image = resized.astype(np.uint8)
    top, left = (scaled_height - size[1]) // 2, (scaled_width - size[2]) // 2
    return image[top : top + size[1], left : left + size[2]]
