"""Finds the videos that match a fingerprint among many, without comparing it with each."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import defaultdict

import numpy as np

from filters.footage.duplicates.fingerprint import Fingerprint
from filters.footage.duplicates.match import FingerprintColumns, Matcher

HASH_BITS = 64


class DuplicateIndex:
    """Finds exactly the videos that `matcher` takes for one with what is asked for.

    Videos that match have two samples whose hashes differ in at most `matcher.nearest` bits. A hash
    is cut into so many bands that one of them then differs in at most one bit, and each band has a
    table of the samples by its value: asking for the value and for those one bit from it finds
    every such sample.

    Adding costs the samples added. Asking looks at one in some 20 samples for each hash asked for
    (42 ms at 100 000 videos). Memory is 74 bytes a sample, measured: 32 for the sample, 4 for each
    of 6 bands, and what tables hold in reserve; so at most 19 kB a video of `Fingerprinter`'s 256.
    Not for several threads at once.
    """

    def __init__(self, matcher: Matcher | None = None) -> None:
        self.matcher = matcher or Matcher()
        bands = self.matcher.nearest // 2 + 1
        edges = [HASH_BITS * band // bands for band in range(bands + 1)]
        self._bands = list(zip(edges[:-1], np.diff(edges).tolist(), strict=True))
        """First bit and number of bits of each."""
        self._tables: list[dict[int, array[int]]] = [defaultdict(_numbers) for _ in self._bands]
        self._ids: list[str] = []
        self._ends = array("Q")
        """Of each video, the number of the sample after its last."""
        self._by_digest: dict[str, list[int]] = defaultdict(list)
        self._columns = (array("q"), array("Q"), array("Q"), array("Q"))

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, id: str, fingerprint: Fingerprint) -> None:
        """Take in a video; what was added twice is found twice."""
        number = len(self._columns[0])
        for sample in fingerprint.samples:
            for column, value in zip(self._columns, sample, strict=True):
                column.append(value)
            for table, (first, width) in zip(self._tables, self._bands, strict=True):
                table[sample.appearance >> first & (1 << width) - 1].append(number)
            number += 1
        self._by_digest[fingerprint.digest].append(len(self._ids))
        self._ids.append(id)
        self._ends.append(number)

    def find(self, fingerprint: Fingerprint) -> list[tuple[str, float]]:
        """Id and score (see `Matcher`) of each match; the best first, of equals the first added."""
        asked = FingerprintColumns.of(fingerprint)
        scores = dict.fromkeys(self._by_digest.get(fingerprint.digest, ()), 1.0)
        for video in self._candidates(asked) - scores.keys():
            score = self.matcher.score_samples(asked, self._samples(video))
            if score >= self.matcher.threshold:
                scores[video] = score
        ranked = sorted(scores.items(), key=lambda found: (-found[1], found[0]))
        return [(self._ids[video], score) for video, score in ranked]

    def _candidates(self, asked: FingerprintColumns) -> set[int]:
        """Videos with a sample within `matcher.nearest` bits of one asked for, or of its mirror."""
        known = np.frombuffer(self._columns[1], np.uint64)
        codes = {*asked.appearance.tolist(), *asked.mirrored().appearance.tolist()}
        near: set[int] = set()
        for code in codes:
            postings = b"".join(self._postings(code))
            samples = np.frombuffer(postings, np.uint32)
            differing = np.bitwise_count(known[samples] ^ np.uint64(code))
            near.update(samples[differing <= self.matcher.nearest].tolist())
        return {bisect_right(self._ends, sample) for sample in near}

    def _postings(self, code: int) -> list[array[int]]:
        """Samples with a band like this hash's, or one bit from it."""
        found = []
        for table, (first, width) in zip(self._tables, self._bands, strict=True):
            value = code >> first & (1 << width) - 1
            values = (value, *(value ^ 1 << bit for bit in range(width)))
            found += [table[near] for near in values if near in table]
        return found

    def _samples(self, video: int) -> FingerprintColumns:
        first = self._ends[video - 1] if video else 0
        return FingerprintColumns(
            *(
                np.array(column[first : self._ends[video]], column.typecode)
                for column in self._columns
            )
        )


def _numbers() -> array[int]:
    """Numbers of samples, 4 bytes each."""
    return array("I")
