"""Which object of another clip, or of another time, may take an object's place, and how the pair is
then described."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.records import Clip, Track
from experts.edit.swap.matching import Match, crosses_cameras, relative_size
from experts.edit.swap.pose import Pose
from experts.edit.tasks import Task
from experts.plan.attached import attached
from experts.plan.bank import MATCHER, Bank, DonorCandidate, DonorWindow, pose, ridden
from experts.plan.framing import Crop, area_of, boxes_of
from experts.plan.occlusion import near, occluders
from experts.plan.referring import refer
from experts.plan.rules import Planning
from experts.plan.view import View, edit_lengths, view, windows

PADDING = 0.4
"""Of the crop around a donor, per side, over its box's longer side: what harmonization compares."""

MAX_RATE_RATIO = 1.25
"""Ratio of frame rates above which a walker would visibly hurry or creep."""

MIN_IN_VIEW = 0.98
"""Share of the object's box that must lie in the picture in every frame."""

BEST = 3
"""Replacements the seed draws from: more variety, but no poor ones while there are good ones."""

OTHER_SOURCE_BONUS = 0.05
"""Taken off the cost of a donor from another source: such a pair adds more variety."""


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
    same_camera: bool  # whether one camera filmed both

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
                "same_camera": self.same_camera,
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
        same_camera = other.clip.source_id == clip.source_id
        if relative_size(track.label, other.track.label) is None:
            continue
        if not (same_camera or crosses_cameras(track.label)):
            continue
        if not _same_rate(clip, other.clip, track.label):
            continue
        if other.clip.clip_id == clip.clip_id and _always_beside(other.track, track, frames):
            continue
        same_label = other.track.label == track.label
        called = other.track.label, donor.pose.colour if same_label else ""
        if called not in views:
            views[called] = _view(candidate, *called, frames, bank, task, rules)
        found_view = views[called]
        if found_view is None:
            continue
        shown, place = found_view
        scale = shown.width / shown.crop.width
        match = MATCHER.match(place, donor.pose, scale, same_camera)
        if match is None or (same_camera and _seen_twice(bank.beside(candidate), donor, shown)):
            continue
        cost = match.cost - OTHER_SOURCE_BONUS * (not same_camera)
        before = found.get(other.track.track_id)
        if before is None or cost < before.cost:
            label = _described(track.label, place.colour) if same_label else track.label
            front = _in_front(track, tracks, shown)
            found[other.track.track_id] = Replacement(
                donor, match, cost, shown, label, front, same_camera
            )
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
    if shown is None or ridden(candidate, shown.alive):
        return None
    if shown.crop.share_in_view(boxes_of(track)[shown.alive]) < MIN_IN_VIEW:
        return None
    place = pose(candidate, shown.first, shown.frames)
    return None if place is None else (shown, place)


def draw_replacement(found: Sequence[Replacement], rng: np.random.Generator) -> Replacement:
    """One of the BEST, the better ones more often."""
    best = found[:BEST]
    weights = np.exp(-6.0 * np.array([r.cost for r in best]))
    return best[int(rng.choice(len(best), p=weights / weights.sum()))]


def _same_rate(clip: Clip, other: Clip, label: str) -> bool:
    fast, slow = max(clip.fps, other.fps), min(clip.fps, other.fps)
    return label != "person" or fast <= MAX_RATE_RATIO * slow


def _always_beside(other: Track, track: Track, frames: int) -> bool:
    """Whether the other object of the clip is there, too, whenever an edit of `track` may be; so it
    is itself. One that comes when it is gone may take its place."""
    there = area_of(boxes_of(other)) > 0
    return all(there[first : first + frames].any() for first in windows(track, frames))


def _seen_twice(beside: Sequence[DonorCandidate], donor: DonorWindow, shown: View) -> bool:
    """Whether the picture may already show the donor; `beside` are its clip's other objects, one of
    which may be the donor itself, at another time."""
    for other in beside:
        visible = shown.crop.view(boxes_of(other.track)[shown.alive]).any()
        if visible and other.track.track_id == donor.candidate.track.track_id:
            return True  # however its size has changed meanwhile
        there = pose(other, shown.first, shown.frames) if visible else None
        if there is not None and MATCHER.may_be_same(there, donor.pose):
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
