"""Frames and masks at a lower resolution, for what needs no fine detail."""

from __future__ import annotations

import cv2
import numpy as np

from experts.base import Frames, Masks


def shrunk_frames(frames: Frames, size: tuple[int, int]) -> Frames:
    """`frames` [T, H, W, 3] at `size` (width, height), averaged over area."""
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])


def shrunk_masks(masks: Masks, size: tuple[int, int]) -> Masks:
    """`masks` [T, H, W] at `size` (width, height): pixels that are covered in any part."""
    return np.stack(
        [cv2.resize(m.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0 for m in masks]
    )
