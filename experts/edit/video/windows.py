"""A clip in windows of the frames that a video model makes at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TEMPORAL = 4
"""Frames per latent frame after the first: a model makes 4n + 1 frames."""


@dataclass(frozen=True, slots=True)
class ClipWindow:
    """Frames `start` … `stop` of the clip, of which those before `done` are made already.
    `indices` are the frames that the model is given: the window, played back from its end where it
    is shorter than what the model makes."""

    start: int
    stop: int
    done: int
    indices: NDArray[np.int64]


def windows(length: int, frames: int, overlap: int) -> Iterator[ClipWindow]:
    """Windows that cover `length` frames, all of one size: at most `frames`, 4n + 1. Each shares at
    least `overlap` frames with the one before; the last one is flush with the end."""
    size = min(frames, -(-(length - 1) // TEMPORAL) * TEMPORAL + 1)
    starts = [0]
    if length > size:
        starts = [*range(0, length - size, size - overlap), length - size]
    done = 0
    for start in starts:
        stop = min(start + size, length)
        inside = np.arange(start, stop)
        cycle = np.concatenate([inside, inside[-2:0:-1]])
        yield ClipWindow(start, stop, done, np.resize(cycle, size))
        done = stop
