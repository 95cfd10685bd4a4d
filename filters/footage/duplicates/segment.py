"""Samples of many videos in a file, found by a hash that is near theirs."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.storage.files import temporary_unwritable
from filters.footage.duplicates.match import Bits, FingerprintColumns

HASH_BITS = 64

LEAST_BANDS = 4
"""So that a table of a band's values has 65 536 places at most."""


AT_ONCE = 1 << 19
"""Pairs of samples that are compared at once, or one hash's, so that memory is bounded."""


class Bands:
    """Cuts a hash into so many bands that of two hashes which differ in at most `nearest` bits one
    band differs in at most one."""

    def __init__(self, nearest: int) -> None:
        bands = max(nearest // 2 + 1, LEAST_BANDS)
        edges = [HASH_BITS * band // bands for band in range(bands + 1)]
        self.slices = [(first, last - first) for first, last in pairwise(edges)]
        """First bit and number of bits of each."""

    def values(self, hashes: Bits, band: int) -> NDArray[np.int64]:
        """The band's value in each hash, [N]."""
        first, width = self.slices[band]
        return (hashes >> np.uint64(first) & np.uint64((1 << width) - 1)).astype(np.int64)

    def near(self, hashes: Bits, band: int) -> NDArray[np.int64]:
        """The band's value in each hash, and those one bit from it, [N, 1 + its bits]."""
        _, width = self.slices[band]
        turned = np.array([0, *(1 << bit for bit in range(width))])
        return self.values(hashes, band)[:, None] ^ turned


class Segment:
    """The samples of some videos, in a temporary file that goes with the object.

    Of each band it has the samples' numbers, sorted by the band's value, and where each value's
    begin. The file is read as memory that the system takes back when it is short of it, so what a
    segment costs is disk: 56 bytes a sample, by `Matcher`'s default.
    """

    def __init__(self, videos: Sequence[FingerprintColumns], bands: Bands) -> None:
        """Raises EditmillError where the disk is full."""
        self._bands = bands
        ends = np.cumsum([len(video.times_ms) for video in videos], dtype=np.int64)
        columns = [np.concatenate(column) for column in zip(*videos, strict=True)]
        parts: list[NDArray[Any]] = [ends, *columns]
        for band, (_, width) in enumerate(bands.slices):
            values = bands.values(columns[1], band)
            parts.append(np.argsort(values, kind="stable").astype(np.uint32))
            counts = np.bincount(values, minlength=1 << width)
            parts.append(np.concatenate(([0], np.cumsum(counts))).astype(np.uint32))
        self._ends, times, appearance, brighter, darker, *tables = _on_disk(parts)
        self._columns = FingerprintColumns(times, appearance, brighter, darker)
        self._tables = list(zip(tables[::2], tables[1::2], strict=True))

    def __len__(self) -> int:
        """Videos."""
        return len(self._ends)

    def near(self, hashes: Bits, nearest: int) -> set[int]:
        """Numbers, from 0, of the videos with a sample within `nearest` bits of one of these."""
        found = np.zeros(len(self._columns.appearance), bool)
        for band, (samples, starts) in enumerate(self._tables):
            values = self._bands.near(hashes, band)
            first = starts[values].astype(np.int64)
            counts = starts[values + 1] - first
            pairs = np.cumsum(counts.sum(axis=1))
            edges = np.flatnonzero(np.diff(pairs // AT_ONCE)) + 1
            for some in np.split(np.arange(len(hashes)), edges):
                close = samples[_ranges(first[some].ravel(), counts[some].ravel())]
                asked = np.repeat(hashes[some], counts[some].sum(axis=1))
                differing = np.bitwise_count(self._columns.appearance[close] ^ asked)
                found[close[differing <= nearest]] = True
        return set(np.searchsorted(self._ends, np.flatnonzero(found), side="right").tolist())

    def video(self, number: int) -> FingerprintColumns:
        """The samples of a video."""
        first = self._ends[number - 1] if number else 0
        rows = slice(first, self._ends[number])
        times, appearance, brighter, darker = self._columns
        return FingerprintColumns(
            times[rows].copy(), appearance[rows].copy(), brighter[rows].copy(), darker[rows].copy()
        )

    def videos(self) -> list[FingerprintColumns]:
        """The samples of each."""
        return [self.video(number) for number in range(len(self))]


def joined(segments: Sequence[Segment], bands: Bands) -> Segment:
    """One segment of the videos of several, in their order."""
    return Segment(list(chain.from_iterable(each.videos() for each in segments)), bands)


def _ranges(first: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """So many numbers from each of these on, all in one array."""
    before = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(first - before, counts)


def _on_disk(arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """The arrays, one after the other in a file without a name."""
    try:
        with tempfile.TemporaryFile(prefix="editmill-duplicates-") as file:
            for array in arrays:
                file.write(array.tobytes())
            file.flush()
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise temporary_unwritable(error.strerror, "TMPDIR") from None
    offsets = np.cumsum([0, *(array.nbytes for array in arrays)]).tolist()
    return [
        np.frombuffer(memory, array.dtype, array.size, offset)
        for array, offset in zip(arrays, offsets, strict=False)
    ]
