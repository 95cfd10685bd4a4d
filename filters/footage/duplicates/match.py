"""Whether two fingerprints are of the same video, whatever its start, rate and size.

Every rate and offset in time lays the one video's samples beside the other's. Under the best of
them a copy shows the same (few bits of the hashes differ) *and* moves alike (the same cells became
brighter or darker). Another take before a fixed camera shows the same too, but moves otherwise.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from filters.footage.duplicates.descriptors import mirrored_appearance, mirrored_changes
from filters.footage.duplicates.fingerprint import Fingerprint

Bits = NDArray[np.uint64]

NO_MATCH = -1.0
"""The score of videos of which no samples can be compared."""


class FingerprintColumns(NamedTuple):
    """A fingerprint's columns."""

    times_ms: NDArray[np.int64]
    appearance: Bits
    brighter: Bits
    darker: Bits

    @classmethod
    def of(cls, fingerprint: Fingerprint) -> FingerprintColumns:
        times, *bits = zip(*fingerprint.samples, strict=True) if fingerprint.samples else [()] * 4
        return cls(np.array(times, np.int64), *(np.array(column, np.uint64) for column in bits))

    def mirrored(self) -> FingerprintColumns:
        return self._replace(
            appearance=mirrored_appearance(self.appearance),
            brighter=mirrored_changes(self.brighter),
            darker=mirrored_changes(self.darker),
        )


class Matcher:
    """Scores how surely two videos are one; from `threshold` on they are taken for one.

    The score is the agreement of motion (cells that changed alike, less those that changed
    contrarily, of all that changed in either video; at most 1) less `hash_weight` times the share
    of the hashes' bits that differ. Two exact copies have 1, and videos without a common frame
    `NO_MATCH`.

    `threshold`: lower finds more copies, and takes more takes of one scene for copies.
    `nearest`: bits in which at least one pair of samples may differ at most, which is what a
    `DuplicateIndex` finds videos by.
    `slowest` of .8 also finds copies 1/.8 as fast; rates between are tried in `rate_steps` steps
    either way. `window_ms` is how far apart samples may lie in time under a rate and offset.
    `least_samples` must lie beside one another, and `least_share` of the shorter video's: two
    videos that each lack another third of one have half of their length in common.
    `least_changes`: below as many changed cells a pair of samples the videos are stills, whose
    motion counts as `still_agreement`: nothing but what they show can tell them apart, so their
    hashes must be equal.
    Defaults: infra/bench/results/duplicates.md.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.26,
        nearest: int = 11,
        slowest: float = 0.8,
        rate_steps: int = 4,
        window_ms: int = 500,
        least_samples: int = 3,
        least_share: float = 0.5,
        least_changes: float = 1.0,
        still_agreement: float = 0.26,
        hash_weight: float = 0.5,
    ) -> None:
        self.threshold = threshold
        self.nearest = nearest
        self._window_ms = window_ms
        self._least_samples = least_samples
        self._least_share = least_share
        self._least_changes = least_changes
        self._still_agreement = still_agreement
        self._hash_weight = hash_weight
        self._rates = [
            round(1000 * slowest ** (step / rate_steps))
            for step in range(-rate_steps, rate_steps + 1)
        ]

    def matches(self, one: Fingerprint, other: Fingerprint) -> bool:
        """Whether both are of one video."""
        return self.score(one, other) >= self.threshold

    def score(self, one: Fingerprint, other: Fingerprint) -> float:
        """How surely both are of one video, -1 to 1; the same whichever comes first."""
        if one.digest == other.digest:
            return 1.0
        return self.score_samples(FingerprintColumns.of(one), FingerprintColumns.of(other))

    def score_samples(self, one: FingerprintColumns, other: FingerprintColumns) -> float:
        """As `score`, but for the digests."""
        # The order decides how times are rounded; a fixed one gives the same score both ways.
        if tuple(map(bytes, one)) > tuple(map(bytes, other)):
            one, other = other, one
        return max(self._one_way(one, other), self._one_way(one, other.mirrored()))

    def _one_way(self, one: FingerprintColumns, other: FingerprintColumns) -> float:
        differing = np.bitwise_count(one.appearance[:, None] ^ other.appearance)
        if differing.size == 0 or differing.min() > self.nearest:
            return NO_MATCH
        alike, changed = _motion(one, other)
        least = max(
            self._least_samples, self._least_share * min(len(one.times_ms), len(other.times_ms))
        )
        best = NO_MATCH
        for rate in self._rates:
            # Bins of half a window; each two neighbours make one.
            offsets = 1000 * other.times_ms - rate * one.times_ms[:, None]
            bins = offsets // (500 * self._window_ms)
            bins = (bins - bins.min()).ravel()

            def by_offset(of_pairs: NDArray[Any], bins: NDArray[np.int64] = bins) -> NDArray[Any]:
                sums = np.bincount(bins, of_pairs.ravel(), bins.max() + 2)
                return sums[:-1] + sums[1:]

            pairs = by_offset(np.ones_like(alike))
            enough = pairs >= least
            if not enough.any():
                continue
            pairs, different, agreed, moved = (
                by_offset(of_pairs)[enough]
                for of_pairs in (np.ones_like(alike), differing, alike, changed)
            )
            agreement = np.where(
                moved >= self._least_changes * pairs,
                agreed / np.maximum(moved, 1),
                self._still_agreement,
            )
            best = max(
                best, float((agreement - self._hash_weight * different / (64 * pairs)).max())
            )
        return best


def _motion(
    one: FingerprintColumns, other: FingerprintColumns
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Of every pair of samples: cells that changed alike less those that changed contrarily, and
    cells that changed in either; none where the changes of one are not known.
    """
    brighter, darker = one.brighter[:, None], one.darker[:, None]
    known: Bits = ~((brighter & darker) | (other.brighter & other.darker))
    alike: Bits = (brighter & other.brighter) | (darker & other.darker)
    contrary: Bits = (brighter & other.darker) | (darker & other.brighter)
    changed: Bits = brighter | darker | other.brighter | other.darker
    return _count(alike & known) - _count(contrary & known), _count(changed & known)


def _count(cells: NDArray[Any]) -> NDArray[Any]:
    return np.bitwise_count(cells).astype(np.int64)
