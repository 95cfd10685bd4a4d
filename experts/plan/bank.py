"""The bank of objects that a swap may take, each over the windows in which it can be cut out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from catalog.keys import digest
from catalog.records import Clip, Track
from experts.edit.swap.appearance import Appearance
from experts.edit.swap.matching import DonorMatcher
from experts.edit.swap.pose import Pose, pose_of
from experts.plan.framing import boxes_of
from experts.plan.rules import Planning

MATCHER = DonorMatcher()

MAX_PER_LABEL = 200
"""Candidates of a label that are offered across sources, sampled by a hash of their own: the search
grows with the footage and not with its square, and more footage changes few of the choices."""

WINDOW_STRIDE = 4
"""Frames between the windows of a donor that are tried."""

RIDDEN = ("bicycle", "motorcycle")

RIDER_OVERLAP = 0.3
"""Share of the other's width by which a rider and what they ride overlap, at least."""

MAX_HEIGHT_CHANGE = 0.12
"""Of an object's height from one frame to the next, as a share: masks that change more have lost
the object, or part of it."""


@dataclass(frozen=True, slots=True)
class DonorCandidate:
    """An object that may be a donor, with its appearances; `tracks` are all of its clip's."""

    clip: Clip
    track: Track
    tracks: tuple[Track, ...]
    appearances: tuple[Appearance, ...]


def rank(track_id: str) -> str:
    """By which objects of one label are sampled, the lowest first."""
    return digest("donor", track_id)


class Bank:
    """Candidates; their poses are cached.

    It offers a source what a bank of the whole build would where it holds the objects of that
    source, and of each label the MAX_PER_LABEL that come first by :func:`rank`. `sample` is a bank
    of the latter, whose candidates are this one's, too, and keep their poses there.
    """

    def __init__(self, candidates: Sequence[DonorCandidate], sample: Bank | None = None) -> None:
        self._known = sample
        self._by_track: dict[str, DonorCandidate] = {c.track.track_id: c for c in candidates}
        if sample is not None:
            self._by_track |= sample._by_track
        self._by_source: dict[str, list[DonorCandidate]] = defaultdict(list)
        by_label: dict[str, list[DonorCandidate]] = defaultdict(list)
        for candidate in sorted(self._by_track.values(), key=lambda c: rank(c.track.track_id)):
            self._by_source[candidate.clip.source_id].append(candidate)
            by_label[candidate.track.label].append(candidate)
        self._sample = [c for label in sorted(by_label) for c in by_label[label][:MAX_PER_LABEL]]
        self._windows: dict[tuple[str, int], list[DonorWindow]] = {}

    def candidate(self, track: Track) -> DonorCandidate | None:
        """The track's, if it is in the bank."""
        return self._by_track.get(track.track_id)

    def beside(self, candidate: DonorCandidate) -> list[DonorCandidate]:
        """The others of its clip."""
        found = (self.candidate(t) for t in candidate.tracks if t is not candidate.track)
        return [c for c in found if c is not None]

    def colour(self, track: Track) -> str:
        """The colour that most of an object's appearances show, "" if it has none."""
        found = self.candidate(track)
        colours = Counter(a.colour for a in found.appearances) if found else Counter()
        return max(sorted(colours), key=lambda c: colours[c]) if colours else ""

    def windows(self, source_id: str, frames: int, rules: Planning) -> Iterator[DonorWindow]:
        """Every window of `frames` frames in which a candidate may be cut out: all candidates of
        that source, which are the most alike, and MAX_PER_LABEL of each label of the others."""
        others = (c for c in self._sample if c.clip.source_id != source_id)
        for candidate in (*self._by_source.get(source_id, ()), *others):
            yield from self._windows_of(candidate, frames, rules)

    def _windows_of(
        self, candidate: DonorCandidate, frames: int, rules: Planning
    ) -> list[DonorWindow]:
        key = candidate.track.track_id, frames
        if self._known is not None and candidate.track.track_id in self._known._by_track:
            return self._known._windows_of(candidate, frames, rules)
        if key not in self._windows:
            self._windows[key] = list(_windows(candidate, frames, rules))
        return self._windows[key]


@dataclass(frozen=True, slots=True)
class DonorWindow:
    """A candidate from frame `first` of its clip on, and its pose in that window."""

    candidate: DonorCandidate
    first: int
    pose: Pose


def _windows(candidate: DonorCandidate, frames: int, rules: Planning) -> Iterator[DonorWindow]:
    track = candidate.track
    if track.score < rules.min_score:
        return
    for first in range(track.first_frame, track.last_frame - frames + 2, WINDOW_STRIDE):
        alive = slice(first, first + frames)
        if float(np.mean(track.confidence[alive])) < rules.min_confidence:
            continue
        if ridden(candidate, alive):
            continue
        found = pose(candidate, first, frames)
        if found is not None and MATCHER.shows_all(found):
            yield DonorWindow(candidate, first, found)


def pose(candidate: DonorCandidate, first: int, frames: int) -> Pose | None:
    """The object's over these frames; None if its masks lose it, or part of it."""
    clip, alive = candidate.clip, slice(first, first + frames)
    boxes = boxes_of(candidate.track)[alive]
    heights = boxes[:, 3] - boxes[:, 1]
    if len(boxes) < frames or not (heights > 0).all():
        return None
    if np.abs(np.diff(np.log(heights))).max(initial=0.0) > MAX_HEIGHT_CHANGE:
        return None
    camera = np.asarray(clip.camera, np.float64).reshape(-1, 2)
    camera = camera[alive] if len(camera) else np.zeros((frames, 2))
    appearances = [a for a in candidate.appearances if first <= a.frame < first + frames]
    size = clip.width, clip.height
    return pose_of(candidate.track.label, boxes, camera, appearances, size, clip.fps)


def ridden(candidate: DonorCandidate, alive: slice) -> bool:
    """Whether the object is a rider or ridden: a rider cannot be cut out without what they ride."""
    label = candidate.track.label
    wanted = RIDDEN if label == "person" else ("person",) if label in RIDDEN else ()
    own = boxes_of(candidate.track)[alive]
    for other in candidate.tracks:
        if other.label not in wanted:
            continue
        boxes = boxes_of(other)[alive]
        both = np.minimum(own[:, 2], boxes[:, 2]) - np.maximum(own[:, 0], boxes[:, 0])
        across = np.clip(both, 0, None) / np.maximum(boxes[:, 2] - boxes[:, 0], 1)
        down = np.minimum(own[:, 3], boxes[:, 3]) - np.maximum(own[:, 1], boxes[:, 1])
        if float(np.median(across * (down > 0))) > RIDER_OVERLAP:
            return True
    return False
