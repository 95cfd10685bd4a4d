"""Which object of another clip may take an object's place, and how it is then spoken of."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.keys import digest
from catalog.records import Clip, Track
from experts.edit.swap.object_bank import Fit, Look, Stand, comparable, fit, stand, twins
from experts.edit.tasks import Task
from experts.plan.attached import carried
from experts.plan.framing import Crop, boxes_of
from experts.plan.occlusion import met, near
from experts.plan.referring import refer
from experts.plan.rules import Planning
from experts.plan.view import View, edit_size, view

MOST = 200
"""Objects of a label that are offered across sources, picked by a hash of their own: the search
grows with the footage, not with its square, and more footage changes few of the choices."""

STEP = 4
"""Frames between the stretches of a donor that are tried."""

MARGIN = 0.4
"""What of a donor's surroundings is handed on, per side, over its box's longer side."""

RIDDEN = ("bicycle", "motorcycle")
RIDES = 0.3
"""Share of what is ridden that lies within a person's box, and of the person's in its, wide."""

STEPS_ALIKE = 1.25
"""Ratio of frame rates above which a walker would hurry or creep."""

WHOLLY = 0.98
"""Share of the object's box that must lie in the picture in every frame."""

JUMP = 0.12
"""Largest change of an object's height from one frame to the next, as a share: masks that jump more
have lost the object, or part of it."""

BEST = 3
"""Fits the seed chooses among: more variety, but no poor ones while there are good ones."""

ELSEWHERE = 0.05
"""Taken off the cost of a donor from another source: what such a pair shows is seen nowhere
else."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """An object with its looks; `tracks` are all of its clip's."""

    clip: Clip
    track: Track
    tracks: tuple[Track, ...]
    looks: tuple[Look, ...]


class Bank:
    """All exhibits of a build; what is worked out of them is kept.

    Not a dataclass: Prefect would look through every number of one that is handed to a task.
    """

    def __init__(self, exhibits: Sequence[Exhibit]) -> None:
        self._by_track = {e.track.track_id: e for e in exhibits}
        self._by_source: dict[str, list[Exhibit]] = defaultdict(list)
        by_label: dict[str, list[Exhibit]] = defaultdict(list)
        for exhibit in sorted(exhibits, key=lambda e: digest("donor", e.track.track_id)):
            self._by_source[exhibit.clip.source_id].append(exhibit)
            by_label[exhibit.track.label].append(exhibit)
        self._sample = [e for label in sorted(by_label) for e in by_label[label][:MOST]]
        self._stretches: dict[tuple[str, int], list[Donor]] = {}

    def exhibit(self, track: Track) -> Exhibit | None:
        """The track's, if it is in the bank."""
        return self._by_track.get(track.track_id)

    def beside(self, exhibit: Exhibit) -> list[Exhibit]:
        """The others of its clip."""
        found = (self.exhibit(t) for t in exhibit.tracks if t is not exhibit.track)
        return [e for e in found if e is not None]

    def colour(self, track: Track) -> str:
        """What colour an object most often shows, "" if none rules."""
        found = self.exhibit(track)
        colours = Counter(look.colour for look in found.looks) if found else Counter()
        return max(sorted(colours), key=lambda c: colours[c]) if colours else ""

    def donors(self, source_id: str, frames: int, rules: Planning) -> Iterator[Donor]:
        """Every stretch of `frames` frames of an object that may be cut out: all of that source,
        where it is most like, and MOST objects of a label of the others."""
        others = (e for e in self._sample if e.clip.source_id != source_id)
        for exhibit in (*self._by_source.get(source_id, ()), *others):
            key = exhibit.track.track_id, frames
            if key not in self._stretches:
                self._stretches[key] = list(_stretches(exhibit, frames, rules))
            yield from self._stretches[key]


@dataclass(frozen=True, slots=True)
class Donor:
    """An object from frame `first` of its clip on."""

    exhibit: Exhibit
    first: int
    stand: Stand


@dataclass(frozen=True, slots=True)
class Swap:
    """A donor for a place, shown as `shown`, whose phrase names the donor ("truck on the left");
    `label` is what is there in truth ("car")."""

    donor: Donor
    fit: Fit
    cost: float
    shown: View
    label: str
    in_front: tuple[Track, ...]

    def params(self) -> dict[str, Any]:
        """All that an edit needs, and what the choice was made by."""
        clip, track = self.donor.exhibit.clip, self.donor.exhibit.track
        alive = slice(self.donor.first, self.donor.first + self.shown.frames)
        along = carried(track, self.donor.exhibit.tracks, alive)
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
                "masks": [t.masks for t in (track, *along)],
                "first_frame": self.donor.first,
                "crop": _crop(clip, (track, *along), alive),
                "ratio": round(self.fit.ratio, 4),
                "mirror": self.fit.mirror,
                "cost": round(self.cost, 3),
                "fit": self.fit.parts,
            },
            "in_front": sorted(t.track_id for t in self.in_front),
        }


def swaps(
    clip: Clip, track: Track, tracks: Sequence[Track], task: Task, bank: Bank, rules: Planning
) -> list[Swap]:
    """Who may take the object's place, the best first, one stretch per donor object."""
    exhibit = bank.exhibit(track)
    if exhibit is None:
        return []
    found: dict[str, Swap] = {}
    views: dict[tuple[str, str], tuple[View, Stand] | None] = {}
    for donor in bank.donors(clip.source_id, edit_size(clip, task, rules)[2], rules):
        other = donor.exhibit
        if other.clip.clip_id == clip.clip_id or not _same_rate(clip, other.clip, track.label):
            continue
        if comparable(track.label, other.track.label) is None:
            continue
        kin = other.track.label == track.label
        named = other.track.label, donor.stand.colour if kin else ""
        if named not in views:
            views[named] = _view(exhibit, *named, bank, task, rules)
        shown = views[named]
        if shown is None:
            continue
        same_camera = other.clip.source_id == clip.source_id
        scale = shown[0].width / shown[0].crop.width
        fits = fit(shown[1], donor.stand, scale, same_camera)
        if fits is None or (same_camera and _seen_twice(bank.beside(exhibit), donor, shown[0])):
            continue
        cost = fits.cost - ELSEWHERE * (not same_camera)
        before = found.get(other.track.track_id)
        if before is None or cost < before.cost:
            label = _described(track.label, shown[1].colour) if kin else track.label
            front = _in_front(track, tracks, shown[0])
            found[other.track.track_id] = Swap(donor, fits, cost, shown[0], label, front)
    return sorted(found.values(), key=lambda s: (s.cost, s.donor.exhibit.track.track_id))


def _view(
    exhibit: Exhibit, label: str, colour: str, bank: Bank, task: Task, rules: Planning
) -> tuple[View, Stand] | None:
    """What of the object's clip to show if a donor of this label, and colour if it takes one to
    tell it apart, is to stand in its place; and how the object stands there."""
    track, tracks = exhibit.track, exhibit.tracks
    here = dataclasses.replace(track, label=label)
    rivals = [t for t in tracks if t is not track]
    unlike = [t for t in rivals if colour and bank.colour(t) not in ("", colour)]

    def called(crop: Crop, alive: slice) -> str | None:
        like = [t for t in rivals if t.label != label or t not in unlike]
        phrase = refer(here, [here, *like], crop, alive)
        return phrase and phrase.replace(label, _described(label, colour), 1)

    shown = view(exhibit.clip, track, tracks, task, rules, called)
    if shown is None or _rides(exhibit, shown.alive):
        return None
    if shown.crop.share_in_view(boxes_of(track)[shown.alive]) < WHOLLY:
        return None
    place = _stand(exhibit, shown.first, shown.frames)
    return None if place is None else (shown, place)


def chosen(found: Sequence[Swap], rng: np.random.Generator) -> Swap:
    """One of the BEST, the better ones more often."""
    best = found[:BEST]
    weights = np.exp(-6.0 * np.array([s.cost for s in best]))
    return best[int(rng.choice(len(best), p=weights / weights.sum()))]


def _stretches(exhibit: Exhibit, frames: int, rules: Planning) -> Iterator[Donor]:
    track = exhibit.track
    if track.score < rules.min_score:
        return
    for first in range(track.first_frame, track.last_frame - frames + 2, STEP):
        alive = slice(first, first + frames)
        if float(np.mean(track.confidence[alive])) < rules.min_confidence:
            continue
        if _rides(exhibit, alive):
            continue
        found = _stand(exhibit, first, frames)
        if found is not None:
            yield Donor(exhibit, first, found)


def _stand(exhibit: Exhibit, first: int, frames: int) -> Stand | None:
    """The object over these frames; None if it is not in one piece throughout."""
    clip, alive = exhibit.clip, slice(first, first + frames)
    boxes = boxes_of(exhibit.track)[alive]
    heights = boxes[:, 3] - boxes[:, 1]
    if len(boxes) < frames or not (heights > 0).all():
        return None
    if np.abs(np.diff(np.log(heights))).max(initial=0.0) > JUMP:
        return None
    camera = np.asarray(clip.camera, np.float64).reshape(-1, 2)
    camera = camera[alive] if len(camera) else np.zeros((frames, 2))
    looks = [look for look in exhibit.looks if first <= look.frame < first + frames]
    size = clip.width, clip.height
    return stand(exhibit.track.label, boxes, camera, looks, size, clip.fps)


def _rides(exhibit: Exhibit, alive: slice) -> bool:
    """Whether a person sits on something, or something has its rider: one without the other is no
    cut-out."""
    label = exhibit.track.label
    wanted = RIDDEN if label == "person" else ("person",) if label in RIDDEN else ()
    own = boxes_of(exhibit.track)[alive]
    for other in exhibit.tracks:
        if other.label not in wanted:
            continue
        boxes = boxes_of(other)[alive]
        both = np.minimum(own[:, 2], boxes[:, 2]) - np.maximum(own[:, 0], boxes[:, 0])
        across = np.clip(both, 0, None) / np.maximum(boxes[:, 2] - boxes[:, 0], 1)
        down = np.minimum(own[:, 3], boxes[:, 3]) - np.maximum(own[:, 1], boxes[:, 1])
        if float(np.median(across * (down > 0))) > RIDES:
            return True
    return False


def _same_rate(clip: Clip, other: Clip, label: str) -> bool:
    fast, slow = max(clip.fps, other.fps), min(clip.fps, other.fps)
    return label != "person" or fast <= STEPS_ALIKE * slow


def _seen_twice(beside: Sequence[Exhibit], donor: Donor, shown: View) -> bool:
    """Whether the donor may already be in the picture it is to be put in."""
    for other in beside:
        there = _stand(other, shown.first, shown.frames)
        visible = shown.crop.view(boxes_of(other.track)[shown.alive]).any()
        if there is not None and visible and twins(there, donor.stand):
            return True
    return False


def _described(label: str, colour: str) -> str:
    """`red car`, `person in red`; the bare label without a colour."""
    if not colour:
        return label
    return f"{label} in {colour}" if label == "person" else f"{colour} {label}"


def _in_front(track: Track, tracks: Sequence[Track], shown: View) -> tuple[Track, ...]:
    """The objects that may hide this one: they come near it, and stand nearer, which is lower."""
    own = boxes_of(track)[shown.alive]
    found = []
    for other in met(track, tracks, shown.alive):
        there = near(track, other, shown.alive)
        lower = np.median(boxes_of(other)[shown.alive][there, 3] - own[there, 3])
        if lower > 0:
            found.append(other)
    return tuple(found)


def _crop(clip: Clip, tracks: Sequence[Track], alive: slice) -> list[int]:
    """x, y, width, height of what of the donor's clip is handed on, px."""
    boxes = np.concatenate([boxes_of(t)[alive] for t in tracks])
    boxes = boxes[boxes[:, 2] > boxes[:, 0]]
    (x0, y0), (x1, y1) = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    margin = MARGIN * float((boxes[:, 2:] - boxes[:, :2]).max())
    left, top = max(0, int(x0 - margin)), max(0, int(y0 - margin))
    right, bottom = min(clip.width, int(x1 + margin) + 1), min(clip.height, int(y1 + margin) + 1)
    return [left, top, right - left, bottom - top]
