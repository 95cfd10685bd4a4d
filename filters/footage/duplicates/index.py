"""Finds the videos that match a fingerprint among many, without comparing it with each."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

from catalog.delta.scratch import scratch_tables, written
from filters.footage.duplicates.fingerprint import Fingerprint
from filters.footage.duplicates.match import FingerprintColumns, Matcher
from filters.footage.duplicates.segment import Bands, Segment, joined

SMALL = 1 << 14
"""Samples, or videos, that are compared one by one before they become a segment."""

LARGE = 32
"""Small segments that become a large one: each hash that is asked for costs a look into every
segment."""

_VIDEOS = """
create table videos (number integer primary key, id text, digest text);
create index by_digest on videos (digest);
"""


class DuplicateIndex:
    """Finds exactly the videos that `matcher` takes for one with what is asked for.

    Videos that match have two samples whose hashes differ in at most `matcher.nearest` bits. Each
    :class:`Segment` has tables of its samples by parts of the hash, and so finds every such sample
    by a look at one in some 20. `small` samples become a segment, `large` small segments a large
    one.

    Adding costs the samples added. Memory does not grow with the videos: they lie in temporary
    files (56 bytes a sample). Not for several threads at once.
    """

    def __init__(
        self, matcher: Matcher | None = None, *, small: int = SMALL, large: int = LARGE
    ) -> None:
        self.matcher = matcher or Matcher()
        self._bands = Bands(self.matcher.nearest)
        self._small, self._large = small, large
        self._segments: list[Segment] = []  # large ones, then fewer than `large` small ones
        self._few = 0  # of them, how many are small
        self._new: list[FingerprintColumns] = []  # videos of no segment yet
        self._hashes = array("Q")  # of their samples
        self._ends: list[int] = []  # of each, the number of the sample after its last
        self._videos = scratch_tables(_VIDEOS)

    def __len__(self) -> int:
        return int(self._videos.execute("select count(*) from videos").fetchone()[0])

    def add(self, id: str, fingerprint: Fingerprint) -> None:
        """Take in a video; what was added twice is found twice. Raises EditmillError where the disk
        is full."""
        with written(self._videos):
            self._videos.execute(
                "insert into videos (id, digest) values (?, ?)", (id, fingerprint.digest)
            )
        self._new.append(FingerprintColumns.of(fingerprint))
        self._hashes.extend(sample.appearance for sample in fingerprint.samples)
        self._ends.append(len(self._hashes))
        if max(len(self._hashes), len(self._new)) >= self._small:
            self._store()

    def find(self, fingerprint: Fingerprint) -> list[tuple[str, float]]:
        """Id and score (see `Matcher`) of each match; the best first, of equals the first added."""
        equal = self._videos.execute(
            "select number from videos where digest = ?", (fingerprint.digest,)
        )
        scores = {number: 1.0 for (number,) in equal}
        asked = FingerprintColumns.of(fingerprint)
        for number, video in self._candidates(asked):
            if number not in scores:
                score = self.matcher.score_samples(asked, video)
                if score >= self.matcher.threshold:
                    scores[number] = score
        ranked = sorted(scores.items(), key=lambda found: (-found[1], found[0]))
        return [(self._id(number), score) for number, score in ranked]

    def _candidates(self, asked: FingerprintColumns) -> Iterator[tuple[int, FingerprintColumns]]:
        """Videos, with their numbers, that have a sample within `matcher.nearest` bits of one asked
        for, or of its mirror."""
        hashes = np.unique(np.concatenate((asked.appearance, asked.mirrored().appearance)))
        first = 1
        for segment in self._segments:
            near = segment.near(hashes, self.matcher.nearest)
            yield from ((first + number, segment.video(number)) for number in near)
            first += len(segment)
        known = np.frombuffer(self._hashes, np.uint64)
        close = np.zeros(len(known), bool)
        for code in hashes:
            close |= np.bitwise_count(known ^ code) <= self.matcher.nearest
        new = set(np.searchsorted(self._ends, np.flatnonzero(close), side="right").tolist())
        yield from ((first + number, self._new[number]) for number in new)

    def _store(self) -> None:
        """The new videos become a small segment, enough of those a large one."""
        self._segments.append(Segment(self._new, self._bands))
        self._new, self._hashes, self._ends = [], array("Q"), []
        self._few += 1
        if self._few == self._large:
            self._segments[-self._few :] = [joined(self._segments[-self._few :], self._bands)]
            self._few = 0

    def _id(self, number: int) -> str:
        found = self._videos.execute("select id from videos where number = ?", (number,))
        return str(found.fetchone()[0])
