"""Masks of objects over a clip, as compressed bits: of 500 frames of 1080p a byte per pixel would
take 1 GB an object, and this takes about a megabyte."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from experts.base import Masks
from experts.masks.geometry import Mask

FASTEST = 1
"""zlib's level: a mask's bits are long runs, which any level finds."""


@dataclass(frozen=True, slots=True)
class _Box:
    """A mask's box, px, how many pixels are set in it, and its bits row by row, compressed."""

    top: int
    left: int
    height: int
    width: int
    area: int
    bits: bytes

    def pixels(self) -> Mask:
        bits = np.frombuffer(zlib.decompress(self.bits), np.uint8)
        pixels = np.unpackbits(bits, count=self.height * self.width)
        return pixels.view(bool).reshape(self.height, self.width)


_EMPTY = _Box(0, 0, 0, 0, 0, b"")


@dataclass(eq=False)
class PackedMasks(MutableMapping[int, Mask]):
    """Masks by frame number, bool [height, width] each; kept are the bits inside their boxes.

    A mask that is read is a new array: changing it changes nothing here.
    """

    height: int
    width: int
    _kept: dict[int, _Box] = field(default_factory=dict)

    def __setitem__(self, frame: int, mask: Mask) -> None:
        self._kept[frame] = _packed(mask)

    def __getitem__(self, frame: int) -> Mask:
        mask = np.zeros((self.height, self.width), bool)
        _paint(self._kept[frame], mask)
        return mask

    def __delitem__(self, frame: int) -> None:
        del self._kept[frame]

    def __iter__(self) -> Iterator[int]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def area(self, frame: int) -> int:
        """The pixels that are set in a frame."""
        return self._kept[frame].area

    @property
    def nbytes(self) -> int:
        """Bytes that are kept."""
        return sum(len(each.bits) for each in self._kept.values())


class MaskTrack(Sequence[Mask]):
    """The masks of one object in every frame of a clip, bool [T, H, W].

    An index gives a new array [H, W]; `numpy.asarray` gives all of them, a byte per pixel.
    """

    dtype = np.dtype(bool)

    def __init__(self, masks: Iterable[Mask], size: tuple[int, int]) -> None:
        self._boxes = [_packed(mask) for mask in masks]
        self._size = size

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self), *self._size

    @property
    def nbytes(self) -> int:
        """Bytes that are kept."""
        return sum(len(box.bits) for box in self._boxes)

    @property
    def areas(self) -> list[int]:
        """The pixels that are set in each frame."""
        return [box.area for box in self._boxes]

    def paint(self, frame: int, onto: Mask) -> None:
        """Sets the object's pixels of a frame in `onto`, [H, W]."""
        _paint(self._boxes[frame], onto)

    def __len__(self) -> int:
        return len(self._boxes)

    @overload
    def __getitem__(self, frame: int) -> Mask: ...
    @overload
    def __getitem__(self, frame: slice) -> MaskTrack: ...
    def __getitem__(self, frame: int | slice) -> Mask | MaskTrack:
        if isinstance(frame, slice):
            part = MaskTrack((), self._size)
            part._boxes = self._boxes[frame]
            return part
        mask = np.zeros(self._size, bool)
        self.paint(frame, mask)
        return mask

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        masks: Masks = np.zeros(self.shape, bool)
        for box, mask in zip(self._boxes, masks, strict=True):
            _paint(box, mask)
        return masks if dtype is None else masks.astype(dtype)


class Union(Sequence[Mask]):
    """Where any of some objects of a clip is, in every frame; there is at least one object.
    `pixels` is how many there are in all frames, set or not."""

    def __init__(self, objects: Sequence[MaskTrack]) -> None:
        self._objects = objects
        self.pixels = math.prod(objects[0].shape)

    def __len__(self) -> int:
        return len(self._objects[0])

    def __getitem__(self, frame: int) -> Mask:  # type: ignore[override]
        if not 0 <= frame < len(self):
            raise IndexError(f"no frame {frame} of {len(self)}")
        mask = np.zeros(self._objects[0].shape[1:], bool)
        for each in self._objects:
            each.paint(frame, mask)
        return mask


def _packed(mask: Mask) -> _Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return _EMPTY
    top, left = int(rows[0]), int(columns[0])
    inner = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    height, width = inner.shape
    bits = zlib.compress(np.packbits(inner).tobytes(), FASTEST)
    return _Box(top, left, height, width, int(np.count_nonzero(inner)), bits)


def _paint(box: _Box, onto: Mask) -> None:
    if box.area:
        part = onto[box.top : box.top + box.height, box.left : box.left + box.width]
        part |= box.pixels()
