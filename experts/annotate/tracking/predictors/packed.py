"""Masks of one object over a clip, one bit per pixel."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from experts.masks.geometry import Mask


@dataclass(frozen=True, slots=True)
class _Bits:
    """A mask's box: its corner and size in px, its pixels row by row."""

    top: int
    left: int
    height: int
    width: int
    bits: NDArray[np.uint8]


@dataclass(eq=False)
class PackedMasks(MutableMapping[int, Mask]):
    """Masks by frame number, bool [height, width] each; kept are the bits inside their boxes.

    A mask that is read is a new array: changing it changes nothing here.
    """

    height: int
    width: int
    _kept: dict[int, _Bits] = field(default_factory=dict)

    def __setitem__(self, frame: int, mask: Mask) -> None:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not rows.size:
            self._kept[frame] = _Bits(0, 0, 0, 0, np.empty(0, np.uint8))
            return
        inner = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        self._kept[frame] = _Bits(
            int(rows[0]), int(columns[0]), inner.shape[0], inner.shape[1], np.packbits(inner)
        )

    def __getitem__(self, frame: int) -> Mask:
        kept = self._kept[frame]
        mask = np.zeros((self.height, self.width), bool)
        pixels = np.unpackbits(kept.bits, count=kept.height * kept.width)
        mask[kept.top : kept.top + kept.height, kept.left : kept.left + kept.width] = (
            pixels.reshape(kept.height, kept.width) > 0
        )
        return mask

    def __delitem__(self, frame: int) -> None:
        del self._kept[frame]

    def __iter__(self) -> Iterator[int]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """Bytes of the kept pixels."""
        return sum(each.bits.nbytes for each in self._kept.values())
