"""A clip's frames, read once from the first to the last, of which only a stretch is in memory."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.storage.files import temporary_unwritable
from experts.base import Frames

Frame = NDArray[np.uint8]
"""RGB, [H, W, 3], 0–255."""

IN_MEMORY_BYTES = 1 << 30
"""Of frames that are held in memory for whoever reads them several times: 170 of 1080p. More lie in
a temporary file, of which the system keeps in memory what there is room for."""


class FrameSequence(Protocol):
    """A clip's frames, uint8 RGB [T, H, W, 3]: an array, or a stream of them."""

    @property
    def shape(self) -> tuple[Any, ...]: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Frame]: ...

    def __getitem__(self, stretch: slice, /) -> Sequence[Frame] | Frames: ...


class FrameStream:
    """`frames` [H, W, 3] of a clip of `shape` (T, H, W, 3), as whoever reads them asks for them.

    A slice `[start:stop]` reads as far as `stop`, and what lies before `start` is forgotten: to ask
    for that again is a ValueError. Raises BadInput (`corrupt_video`) where there are fewer frames.
    """

    def __init__(self, frames: Iterable[Frame], shape: tuple[int, int, int, int]) -> None:
        self.shape = shape
        self._frames = iter(frames)
        self._first = 0  # the frame's number that `_kept` begins with
        self._kept: list[Frame] = []

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self._first, len(self)):
            yield self[number : number + 1][0]

    def __getitem__(self, stretch: slice) -> list[Frame]:
        start, stop, step = stretch.indices(len(self))
        if start < self._first or step != 1:
            raise ValueError(f"frames from {start} on are gone; the stream begins at {self._first}")
        while self._first + len(self._kept) < stop:
            self._forget(start)
            self._kept.append(self._next())
        self._forget(start)
        return self._kept[: stop - start]

    def finish(self) -> None:
        """Reads what nobody asked for."""
        self[len(self) :]

    def _forget(self, start: int) -> None:
        gone = min(start - self._first, len(self._kept))
        del self._kept[:gone]
        self._first += gone

    def _next(self) -> Frame:
        frame = next(self._frames, None)
        if frame is None:
            read = self._first + len(self._kept)
            raise BadInput("corrupt_video", f"a clip has {read} frames instead of {len(self)}")
        return frame


def whole(frames: FrameSequence) -> Frames:
    """All frames as one array, which may lie in a temporary file; the array itself where they are
    one. Raises EditmillError, in one line, where there is no room for that file."""
    if isinstance(frames, np.ndarray):
        return frames
    size = math.prod(frames.shape)
    array = np.empty(frames.shape, np.uint8) if size <= IN_MEMORY_BYTES else _on_disk(frames.shape)
    for place, frame in zip(array, frames, strict=True):
        place[:] = frame
    return array


def _truncated(file: int, _first: int, size: int) -> None:
    os.truncate(file, size)


_reserve = getattr(os, "posix_fallocate", _truncated)  # macOS has none


def _on_disk(shape: tuple[int, ...]) -> Frames:
    """An array in a file that is gone with it. Its room is taken at once: a disk that is full later
    would end the process, without a word."""
    try:
        with tempfile.TemporaryFile() as file:
            _reserve(file.fileno(), 0, math.prod(shape))
            return np.memmap(file, np.uint8, "r+", shape=shape)
    except OSError as error:
        raise temporary_unwritable(error.strerror, "TMPDIR") from None
