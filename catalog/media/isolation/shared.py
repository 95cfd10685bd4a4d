"""Memory that two processes see, cut into slots for frames.

A frame is handed on where it was decoded to, without a copy, and its slot is used again when the
last array on it is gone. Whoever keeps frames gets copies, so that there are always free slots. The
memory stays from one reading to the next: its first use costs 2 ms per MiB, more than decoding.
"""

from __future__ import annotations

import math
import mmap
import os
import sys
import tempfile
import weakref
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from catalog.media.picture import Frame

RING_BYTES = 32 << 20
"""Five frames of 1080p; twelve of 720p."""

FEWEST_SLOTS, MOST_SLOTS = 4, 64

Shape = tuple[int, ...]
"""Of one picture, uint8."""


class Memory:
    """Shared memory in this process; `fd` is what another one opens it by."""

    def __init__(self, fd: int, size: int) -> None:
        self.fd, self.size = fd, size
        self._map = mmap.mmap(fd, size)

    @classmethod
    def made(cls, size: int) -> Memory:
        """Fresh memory, which goes when the last process lets go of it; none of it lies anywhere in
        the file system."""
        if sys.platform == "linux":  # /dev/shm is often small in containers, and this is not there
            fd = os.memfd_create("editmill-frames")
        else:
            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        try:
            os.ftruncate(fd, size)
            return cls(fd, size)
        except BaseException:
            os.close(fd)
            raise

    def close(self) -> None:
        """Arrays on the memory stay valid."""
        os.close(self.fd)

    def block(self, start: int, size: int) -> NDArray[np.uint8]:
        return np.ndarray((size,), np.uint8, self._map, start)


class Slots:
    """The slots of one reading: the pictures of one frame after each other in each."""

    def __init__(self, memory: Memory, shapes: Sequence[Shape]) -> None:
        self._memory, self._shapes = memory, shapes
        self.count = min(MOST_SLOTS, memory.size // slot_bytes(shapes))
        self._bytes = slot_bytes(shapes)
        self._shown: dict[int, weakref.ref[Frame]] = {}
        self._released: deque[int] = deque()

    def pictures(self, slot: int, parts: int | None = None) -> tuple[Frame, ...]:
        """The first `parts` pictures in a slot, as arrays on it. Raises IndexError for no slot."""
        if not 0 <= slot < self.count:
            raise IndexError(f"no slot {slot}")
        return self._cut(self._memory.block(slot * self._bytes, self._bytes), parts)

    def lent(self, slot: int, parts: int) -> tuple[Frame, ...]:
        """As :meth:`pictures`; the slot is in :meth:`released` once these arrays, and all views of
        them, are gone."""
        block = self._memory.block(slot * self._bytes, self._bytes)
        self._shown[slot] = weakref.ref(block, lambda _: self._released.append(slot))
        return self._cut(block, parts)

    @property
    def in_use(self) -> int:
        """Slots lent and not yet released."""
        return sum(block() is not None for block in self._shown.values())

    def released(self) -> list[int]:
        """The slots that were released since this was asked last."""
        slots = []
        while self._released:  # the callback may append from any thread
            slot = self._released.popleft()
            self._shown.pop(slot, None)
            slots.append(slot)
        return slots

    def _cut(self, block: NDArray[np.uint8], parts: int | None) -> tuple[Frame, ...]:
        pictures, start = [], 0
        for shape in self._shapes[:parts]:
            end = start + math.prod(shape)
            pictures.append(block[start:end].reshape(shape))
            start = end
        return tuple(pictures)


def slot_bytes(shapes: Sequence[Shape]) -> int:
    """Bytes of a slot, whole pages."""
    size = sum(math.prod(shape) for shape in shapes)
    return max(1, -(-size // mmap.PAGESIZE)) * mmap.PAGESIZE


def memory_bytes(shapes: Sequence[Shape]) -> int:
    """Bytes of the memory that frames of these shapes need."""
    return max(RING_BYTES, FEWEST_SLOTS * slot_bytes(shapes))
