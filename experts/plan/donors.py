"""Which object of another clip may take an object's place, and how the pair is then described."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.keys import digest
from catalog.records import Clip, Track
from experts.edit.swap.appearance import Appearance
from experts.edit.swap.matching import DonorMatcher, Match, relative_size
from experts.edit.swap.pose import Pose, pose_of
from experts.edit.tasks import Task
from experts.plan.attached import attached
from experts.plan.framing import Crop, boxes_of
from experts.plan.occlusion import near, occluders
from experts.plan.referring import refer
from experts.plan.rules import Planning
from experts.plan.view import View, edit_lengths, view

MATCHER = DonorMatcher()

MAX_PER_LABEL = 200
"""Candidates of a label that are offered across sources, sampled by a hash of their own: the search
grows with the footage and not with its square, and more footage changes few of the choices."""

WINDOW_STRIDE = 4
"""Frames between the windows of a donor that are tried."""

PADDING = 0.4
"""Of the crop around a donor, per side, over its box's longer side: what harmonization compares."""

RIDDEN = ("bicycle", "motorcycle")

RIDER_OVERLAP = 0.3
"""Share of the other's width by which a rider and what they ride overlap, at least."""

MAX_RATE_RATIO = 1.25
"""Ratio of frame rates above which a walker would visibly hurry or creep."""

MIN_IN_VIEW = 0.98
"""Share of the object's box that must lie in the picture in every frame."""

MAX_HEIGHT_CHANGE = 0.12
"""Of an object's height from one frame to the next, as a share: masks that change more have lost
the object, or part of it."""

BEST = 3
"""Replacements the seed draws from: more variety, but no poor ones while there are good ones."""

OTHER_SOURCE_BONUS = 0.05
"""Taken off the cost of a donor from another source: such a pair adds more variety."""


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


@dataclass(frozen=True, slots=True)
class Replacement:
    """A donor that may take an object's place. The phrase of `shown` refers to the donor there
    ("truck on the left"); `label` is the object that it replaces ("car")."""

    donor: DonorWindow
    match: Match
    cost: float  # of the match, less what another source is worth
    shown: View
    label: str
    in_front: tuple[Track, ...]  # what may occlude the object

    def params(self) -> dict[str, Any]:
        """The plan's parameters: all that the edit needs, and what the choice was made by."""
        clip, track = self.donor.candidate.clip, self.donor.candidate.track
        alive = slice(self.donor.first, self.donor.first + self.shown.frames)
        things = attached(track, self.donor.candidate.tracks, alive)
        return {
            "donor": {
                "track_id": track.track_id,
                "clip_id": clip.clip_id,
                "source_id": clip.source_id,
                "uri": clip.uri,
                "licence": clip.licence,
                "label": track.label,
                "phrase": self.shown.phrase,
                "video": clip.video,
                "masks": [t.masks for t in (track, *things)],
                "first_frame": self.donor.first,
                "crop": _crop(clip, (track, *things), alive),
                "ratio": round(self.match.ratio, 4),
                "mirror": self.match.mirror,
                "cost": round(self.cost, 3),
                "cost_terms": self.match.terms,
            },
            "in_front": sorted(t.track_id for t in self.in_front),
        }


def replacements(
    clip: Clip, track: Track, tracks: Sequence[Track], task: Task, bank: Bank, rules: Planning
) -> list[Replacement]:
    """What may take the object's place, the best first, with the best window of each donor. Edits
    are as long as there is a donor for."""
    candidate = bank.candidate(track)
    if candidate is None:
        return []
    for frames in edit_lengths(clip, task, rules):
        found = _replacements(candidate, frames, task, bank, rules)
        if found:
            return found
    return []


def _replacements(
    candidate: DonorCandidate, frames: int, task: Task, bank: Bank, rules: Planning
) -> list[Replacement]:
    clip, track, tracks = candidate.clip, candidate.track, candidate.tracks
    found: dict[str, Replacement] = {}
    views: dict[tuple[str, str], tuple[View, Pose] | None] = {}
    for donor in bank.windows(clip.source_id, frames, rules):
        other = donor.candidate
        if other.clip.clip_id == clip.clip_id or not _same_rate(clip, other.clip, track.label):
            continue
        if relative_size(track.label, other.track.label) is None:
            continue
        same_label = other.track.label == track.label
        called = other.track.label, donor.pose.colour if same_label else ""
        if called not in views:
            views[called] = _view(candidate, *called, frames, bank, task, rules)
        found_view = views[called]
        if found_view is None:
            continue
        shown, place = found_view
        same_camera = other.clip.source_id == clip.source_id
        scale = shown.width / shown.crop.width
        match = MATCHER.match(place, donor.pose, scale, same_camera)
        if match is None or (same_camera and _seen_twice(bank.beside(candidate), donor, shown)):
            continue
        cost = match.cost - OTHER_SOURCE_BONUS * (not same_camera)
        before = found.get(other.track.track_id)
        if before is None or cost < before.cost:
            label = _described(track.label, place.colour) if same_label else track.label
            front = _in_front(track, tracks, shown)
            found[other.track.track_id] = Replacement(donor, match, cost, shown, label, front)
    return sorted(found.values(), key=lambda r: (r.cost, r.donor.candidate.track.track_id))


def _view(
    candidate: DonorCandidate,
    label: str,
    colour: str,
    frames: int,
    bank: Bank,
    task: Task,
    rules: Planning,
) -> tuple[View, Pose] | None:
    """What of the object's clip to show if a donor of this label takes its place (and of this
    colour, if that tells it apart), and the object's pose there."""
    track, tracks = candidate.track, candidate.tracks
    here = dataclasses.replace(track, label=label)
    rivals = [t for t in tracks if t is not track]
    unlike = [t for t in rivals if colour and bank.colour(t) not in ("", colour)]

    def refer_to(crop: Crop, alive: slice) -> str | None:
        like = [t for t in rivals if t.label != label or t not in unlike]
        phrase = refer(here, [here, *like], candidate.clip, crop, alive)
        return phrase and phrase.replace(label, _described(label, colour), 1)

    shown = view(candidate.clip, track, tracks, task, rules, refer_to, lengths=(frames,))
    if shown is None or _ridden(candidate, shown.alive):
        return None
    if shown.crop.share_in_view(boxes_of(track)[shown.alive]) < MIN_IN_VIEW:
        return None
    place = _pose(candidate, shown.first, shown.frames)
    return None if place is None else (shown, place)


def draw_replacement(found: Sequence[Replacement], rng: np.random.Generator) -> Replacement:
    """One of the BEST, the better ones more often."""
    best = found[:BEST]
    weights = np.exp(-6.0 * np.array([r.cost for r in best]))
    return best[int(rng.choice(len(best), p=weights / weights.sum()))]


def _windows(candidate: DonorCandidate, frames: int, rules: Planning) -> Iterator[DonorWindow]:
    track = candidate.track
    if track.score < rules.min_score:
        return
    for first in range(track.first_frame, track.last_frame - frames + 2, WINDOW_STRIDE):
        alive = slice(first, first + frames)
        if float(np.mean(track.confidence[alive])) < rules.min_confidence:
            continue
        if _ridden(candidate, alive):
            continue
        pose = _pose(candidate, first, frames)
        if pose is not None:
            yield DonorWindow(candidate, first, pose)


def _pose(candidate: DonorCandidate, first: int, frames: int) -> Pose | None:
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


def _ridden(candidate: DonorCandidate, alive: slice) -> bool:
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


def _same_rate(clip: Clip, other: Clip, label: str) -> bool:
    fast, slow = max(clip.fps, other.fps), min(clip.fps, other.fps)
    return label != "person" or fast <= MAX_RATE_RATIO * slow


def _seen_twice(beside: Sequence[DonorCandidate], donor: DonorWindow, shown: View) -> bool:
    """Whether the picture may already show the donor; `beside` are its clip's other objects."""
    for other in beside:
        there = _pose(other, shown.first, shown.frames)
        visible = shown.crop.view(boxes_of(other.track)[shown.alive]).any()
        if there is not None and visible and MATCHER.may_be_same(there, donor.pose):
            return True
    return False


def _described(label: str, colour: str) -> str:
    """`red car`, `person in red`; the bare label without a colour."""
    if not colour:
        return label
    return f"{label} in {colour}" if label == "person" else f"{colour} {label}"


def _in_front(track: Track, tracks: Sequence[Track], shown: View) -> tuple[Track, ...]:
    """The objects that may occlude this one: they come near it, and their feet are lower, which is
    nearer to the camera."""
    own = boxes_of(track)[shown.alive]
    found = []
    for other in occluders(track, tracks, shown.alive):
        there = near(track, other, shown.alive)
        lower = np.median(boxes_of(other)[shown.alive][there, 3] - own[there, 3])
        if lower > 0:
            found.append(other)
    return tuple(found)


def _crop(clip: Clip, tracks: Sequence[Track], alive: slice) -> list[int]:
    """x, y, width, height of the part of the donor's clip that the edit needs, px."""
    boxes = np.concatenate([boxes_of(t)[alive] for t in tracks])
    boxes = boxes[boxes[:, 2] > boxes[:, 0]]
    (x0, y0), (x1, y1) = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    padding = PADDING * float((boxes[:, 2:] - boxes[:, :2]).max())
    left, top = max(0, int(x0 - padding)), max(0, int(y0 - padding))
    right, bottom = min(clip.width, int(x1 + padding) + 1), min(clip.height, int(y1 + padding) + 1)
    return [left, top, right - left, bottom - top]
