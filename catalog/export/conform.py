"""Videos and masks brought to another shape, frame by frame: nothing is held but one frame.

Frame k of the result is the frame that is nearest to the moment k / fps: dropped or repeated, never
blended. The picture is cropped at its centre to the new aspect, then resized.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.export.shapes import Shape, frame_shown
from catalog.media import iter_frames, read_masks
from catalog.media.geometry import crop_resize

MASKS_AT_ONCE = 32
"""Masks decoded together: 64 MB of them at 1920 × 1080."""


def conformed_frames(path: Path, had: Shape, shape: Shape) -> Iterator[NDArray[np.uint8]]:
    """The video at `path`, whose shape is `had`, as frames of `shape`, uint8 [H, W, 3].

    Raises BadInput where it cannot be read or is shorter than `had` says.
    """
    return _conformed(path, iter_frames(path, count=_last(had, shape) + 1), had, shape)


def conformed_masks(path: Path, had: Shape, shape: Shape) -> Iterator[NDArray[np.bool_]]:
    """The same of a mask track, bool [H, W]; a pixel is set where half of its area was."""
    return _conformed(path, _masks(path, _last(had, shape) + 1), had, shape)


def _last(had: Shape, shape: Shape) -> int:
    return frame_shown(had, (shape.frames - 1) / shape.fps)


def _conformed(
    path: Path, frames: Iterator[NDArray[Any]], had: Shape, shape: Shape
) -> Iterator[NDArray[Any]]:
    position = -1
    picture: NDArray[Any] | None = None
    for k in range(shape.frames):
        number = frame_shown(had, k / shape.fps)
        while position < number or picture is None:
            frame = next(frames, None)
            if frame is None:
                raise BadInput(
                    "corrupt_video",
                    f"{path}: has {position + 1} frames, its row says {had.frames}; "
                    "restore the file, or build the pair again",
                )
            position += 1
            if position == number:
                picture = crop_resize(frame[None], shape.size)[0]
        yield picture


def _masks(path: Path, count: int) -> Iterator[NDArray[np.bool_]]:
    for first in range(0, count, MASKS_AT_ONCE):
        yield from read_masks(path, first, min(MASKS_AT_ONCE, count - first))
