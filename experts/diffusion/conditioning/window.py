"""A window of a clip, at a stage's size."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.base import Frames, Masks
from experts.diffusion.training.recipe import Stage

Size = tuple[int, int, int]
"""Frames, height, width."""

Video = TypeVar("Video", Frames, Masks)


def size_for(stage: Stage, height: int, width: int) -> Size:
    """The stage's size, in the orientation of a clip of `height` × `width`."""
    if (height > width) != (stage.height > stage.width):
        return stage.frames, stage.width, stage.height
    return stage.frames, stage.height, stage.width


def times(length: int, frames: int, stride: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices [frames] of a window somewhere in `length` frames.

    Raises BadInput (`too_short`) where the clip has no room for it.
    """
    room = length - (frames - 1) * stride
    if room < 1:
        raise BadInput(
            "too_short", f"{length} frames, {(frames - 1) * stride + 1} needed; lower the stride"
        )
    return rng.integers(room) + stride * np.arange(frames)


def fit(frames: Frames, size: Size) -> Frames:
    """Frames [T, H, W, 3] scaled down and cut at the middle to the size; never scaled up.

    Raises BadInput (`too_small`) where that would be needed.
    """
    if frames.shape[1] < size[1] or frames.shape[2] < size[2]:
        raise BadInput(
            "too_small",
            f"{frames.shape[1]}×{frames.shape[2]}, {size[1]}×{size[2]} needed; use larger clips",
        )
    return np.stack([_cover(frame, size, cv2.INTER_AREA) for frame in frames])


def fit_masks(masks: Masks, size: Size) -> Masks:
    """Masks [T, H, W] at the size, as `fit` does it; scaled up where they must be."""
    cut = [_cover(mask.astype(np.uint8), size, cv2.INTER_NEAREST) for mask in masks]
    return np.stack(cut).astype(bool)


def there_and_back(masks: Video, frames: int) -> Video:
    """Frames or masks [T, …] as [frames, …]: played forward and backward until they are enough."""
    cycle = np.concatenate([np.arange(len(masks)), np.arange(len(masks) - 2, 0, -1)])
    shown: Video = masks[np.resize(cycle, frames)]
    return shown


def _cover(picture: NDArray[np.uint8], size: Size, how: int) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    scale = max(size[1] / height, size[2] / width)
    tall, wide = max(size[1], round(height * scale)), max(size[2], round(width * scale))
    if (tall, wide) != (height, width):
        picture = cv2.resize(picture, (wide, tall), interpolation=how).astype(np.uint8)
    top, left = (tall - size[1]) // 2, (wide - size[2]) // 2
    return picture[top : top + size[1], left : left + size[2]]
