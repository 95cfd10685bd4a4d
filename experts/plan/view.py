"""What of a clip an edit shows, when, and how its object is referred to there.

The object must be there throughout, large enough, surely tracked and, if it is to be removed, step
aside from what it hides. Some stretches and frames tell it apart from its like and others do not,
so several are tried, the best first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from catalog.media import fit_size
from catalog.records import Clip, Track
from experts.annotate.detection.kinds import alike
from experts.edit.remover.settings import RemoverSettings
from experts.edit.tasks import Task
from experts.plan.framing import Boxes, Crop, area_of, around, boxes_of, never_uncovered, widest
from experts.plan.referring import crowded, in_doubt, refer, surely_labelled
from experts.plan.rules import Planning

IN_VIEW = 0.8
"""Share of an object's box that must lie within the picture in every frame."""

MASK_OF_BOX = 0.5
"""Share of its box that an object covers, more or less."""

HOLE_MARGIN = RemoverSettings().dilation
"""How far a removal's hole reaches beyond the object, as a share of the picture's longer side."""

LEAST_SURE = 0.1
"""Share of an edit's frames that may be less sure than `min_confidence`."""

STEADY = 0.4
"""An object's smallest box over its usual one, areas: below it, most of it is hidden there."""

MOSTLY_CUT = 0.5
"""Share of the frames in which the picture's edge may cut what a grounding shows."""

CLOSER = (0.8, 0.64)
"""Sides of smaller edits over the usual one's."""

SHORTER = (0.75, 0.5)
"""Frames of shorter edits over the usual number, brought to 4k + 1: what CogVideoX's VAE takes."""

PLACES = (0.5, 0.3, 0.7)
"""Where across the picture the object's trajectory may have its middle, as shares of the width."""


Refer = Callable[[Crop, slice], str | None]
"""The referring expression of an object in a crop over some frames; None if nothing tells it
apart."""


@dataclass(frozen=True, slots=True)
class View:
    """`frames` frames of a clip from `first` on, `crop` of them, brought to height × width."""

    first: int
    frames: int
    crop: Crop
    height: int
    width: int
    phrase: str

    @property
    def alive(self) -> slice:
        return slice(self.first, self.first + self.frames)


class Unsuited(IntEnum):
    """Why an object suits no edit of a task, in the order in which the rules are asked, each with
    the fields of `Planning` that decide.

    Many sizes, crops and stretches of a clip are tried; the reason is the highest of theirs, that
    of the try that failed last.
    """

    LABEL_IN_DOUBT = 1  # min_score, min_mean_score
    TOO_BRIEF = 2  # frames, shortest_frames
    NOT_FOLLOWED = 3  # min_confidence
    TOO_SMALL = 4  # min_area, smallest_long_side
    TOO_LARGE = 5  # max_area
    OUT_OF_VIEW = 6
    KIND_IN_DOUBT = 7  # where all of a kind are meant: some may not be followed
    NEVER_UNCOVERED = 8  # max_invented
    NOT_TOLD_APART = 9
    NO_DONOR = 10  # of a swap


def view(
    clip: Clip,
    track: Track | None,
    tracks: Sequence[Track],
    task: Task,
    rules: Planning,
    refer_to: Refer | None = None,
    lengths: Sequence[int] | None = None,
) -> View | None:
    """The best one for the task on this object, or for one without an object (`track` None);
    None if the object does not suit the task. `refer_to` gives the referring expression of what the
    instruction speaks of, if that is not the object itself; `lengths` the frames that the edit may
    have, by default those of :func:`edit_lengths`."""
    found = view_or_reason(clip, track, tracks, task, rules, refer_to, lengths)
    return found if isinstance(found, View) else None


def view_or_reason(
    clip: Clip,
    track: Track | None,
    tracks: Sequence[Track],
    task: Task,
    rules: Planning,
    refer_to: Refer | None = None,
    lengths: Sequence[int] | None = None,
) -> View | Unsuited:
    """As :func:`view`, with the reason where there is none."""
    height, width, frames = edit_size(clip, task, rules)
    if track is None:
        return View(0, frames, widest(clip, height, width), height, width, "")
    if not surely_labelled(track, rules.min_score, rules.min_mean_score):
        return Unsuited.LABEL_IN_DOUBT
    reason = Unsuited.TOO_BRIEF
    for frames in lengths or edit_lengths(clip, task, rules):
        there = [slice(first, first + frames) for first in windows(track, frames)]
        stretches = [alive for alive in there if _followed(track, alive, rules)]
        if there:
            reason = max(reason, Unsuited.NOT_FOLLOWED)
        for height, width in edit_sizes(clip, track, task, rules):
            for alive in stretches:
                for crop in _crops(clip, track, task, alive, (height, width)):
                    phrase = _phrase(clip, track, tracks, task, rules, crop, alive, refer_to)
                    if isinstance(phrase, str):
                        return View(alive.start, frames, crop, height, width, phrase)
                    reason = max(reason, phrase)
    return reason


def edit_lengths(clip: Clip, task: Task, rules: Planning) -> list[int]:
    """Frames that an edit may have, the usual number first. Shorter ones are for local edits."""
    usual = edit_size(clip, task, rules)[2]
    shorter = (round(factor * (usual - 1)) // 4 * 4 + 1 for factor in SHORTER)
    least = rules.shortest_frames if task.local and rules.shortest_frames else usual
    return [usual, *(frames for frames in shorter if least <= frames < usual)]


def edit_sizes(clip: Clip, track: Track, task: Task, rules: Planning) -> list[tuple[int, int]]:
    """(height, width) at which an object may be shown: the largest first that shows it well
    (`wanted_area`), then the others, the closest first. Smaller ones than usual are for local edits
    alone: a map is not worth more for showing less."""
    height, width, _ = edit_size(clip, task, rules)
    sizes = [(height, width)]
    if task.local and rules.smallest_long_side:
        for factor in CLOSER:
            smaller = round(factor * height / 2) * 2, round(factor * width / 2) * 2
            if max(smaller) >= rules.smallest_long_side:
                sizes.append(smaller)
    pixels = track.area * clip.width * clip.height
    well = [size for size in sizes if pixels >= rules.wanted_area * size[0] * size[1]]
    return [*well, *reversed([size for size in sizes if size not in well])]


def edit_size(clip: Clip, task: Task, rules: Planning) -> tuple[int, int, int]:
    """(height, width, frames): the task's, turned for a portrait clip, at most the clip's own."""
    height, width = task.height, task.width
    if clip.height > clip.width:
        height, width = width, height
    if rules.long_side and max(height, width) > rules.long_side:
        scale = rules.long_side / max(height, width)
        height, width = round(height * scale), round(width * scale)
    height, width = fit_size(clip.width, clip.height, height, width)
    return height, width, min(task.frames, clip.frames, rules.frames or task.frames)


def windows(track: Track, frames: int) -> list[int]:
    """First frames of stretches of `frames` frames, all with the object: where the track is surest,
    then its first and its last; none if it does not live that long."""
    last_start = track.last_frame - frames + 1
    if last_start < track.first_frame:
        return []
    sums = np.convolve(track.confidence, np.ones(frames), "valid")
    sums = np.round(sums[track.first_frame : last_start + 1], 6)
    best = np.flatnonzero(sums == sums.max())
    surest = track.first_frame + int(best[len(best) // 2])
    return list(dict.fromkeys((surest, track.first_frame, last_start)))


def _followed(track: Track, alive: slice, rules: Planning) -> bool:
    """Whether the track is sure of its object in nearly every frame, and has all of it: one lost
    half behind another leaves its other half in the picture."""
    sure = float(np.quantile(track.confidence[alive], LEAST_SURE))
    areas = area_of(boxes_of(track)[alive])
    return sure >= rules.min_confidence and areas.min() >= STEADY * np.median(areas)


def removal_context(track: Track, alive: slice, rules: Planning) -> slice:
    """The frames around `alive` in which the track goes on being as sure, `removal_span` to each
    side at most: what a removal looks at to see behind the object."""
    boxes = boxes_of(track)
    areas = area_of(boxes)
    least = STEADY * float(np.median(areas[alive]))
    good = (np.asarray(track.confidence) >= rules.min_confidence) & (areas >= least)
    first, last = alive.start, alive.stop
    while first > max(0, alive.start - rules.removal_span) and good[first - 1]:
        first -= 1
    while last < min(len(good), alive.stop + rules.removal_span) and good[last]:
        last += 1
    return slice(first, last)


def _crops(
    clip: Clip, track: Track, task: Task, alive: slice, size: tuple[int, int]
) -> Iterator[Crop]:
    """Around the object of an edit; the widest where all of a kind are meant."""
    if not task.plural:
        for place in PLACES:
            yield around(clip, boxes_of(track)[alive], *size, place)
    yield widest(clip, *size)


def _phrase(
    clip: Clip,
    track: Track,
    tracks: Sequence[Track],
    task: Task,
    rules: Planning,
    crop: Crop,
    alive: slice,
    refer_to: Refer | None,
) -> str | Unsuited:
    """The object's referring expression in this crop; why it does not suit the task there."""
    area = track.area * clip.width * clip.height / (crop.width * crop.height)
    if area < rules.min_area:
        return Unsuited.TOO_SMALL
    if task.uncovers and area > rules.max_area:
        return Unsuited.TOO_LARGE
    boxes = boxes_of(track)[alive]
    if task.plural:  # none needs to be told apart
        if np.mean([crop.cuts(box) for box in boxes]) > MOSTLY_CUT:
            return Unsuited.OUT_OF_VIEW
        unclear = crowded(track.label, tracks, crop, alive)
        unclear = unclear or in_doubt(track.label, tracks, crop, alive, rules.min_score)
        unclear = unclear or _lost(track.label, tracks, crop, alive)
        return Unsuited.KIND_IN_DOUBT if unclear else track.label
    if crop.share_in_view(boxes) < IN_VIEW:
        return Unsuited.OUT_OF_VIEW
    if task.uncovers:
        seen = removal_context(track, alive, rules)
        invented = _invents(clip, boxes_of(track)[seen], seen, crop)
        if not track.uncovered and invented > rules.max_invented:
            return Unsuited.NEVER_UNCOVERED
    phrase = refer_to(crop, alive) if refer_to else refer(track, tracks, clip, crop, alive)
    return phrase or Unsuited.NOT_TOLD_APART


def _lost(label: str, tracks: Sequence[Track], crop: Crop, alive: slice) -> bool:
    """Whether the tracker lost one of a kind, or found it late, in the midst of the picture: it may
    be there still, and would be left unpainted."""
    for track in tracks:
        boxes = boxes_of(track)
        if not alike(track.label, label) or not crop.view(boxes[alive]).any():
            continue
        first, last = track.first_frame, track.last_frame
        late = alive.start < first and not crop.leaves(boxes[first])
        early = last < alive.stop - 1 and not crop.leaves(boxes[last])
        if late or early:
            return True
    return False


def _invents(clip: Clip, boxes: Boxes, alive: slice, crop: Crop) -> float:
    """Share of the picture that a removal would have to paint without ever having seen it. What it
    fills is the object with the margin that its mask is grown by."""
    margin = HOLE_MARGIN * max(crop.width, crop.height)
    camera = np.asarray(clip.camera, np.float64).reshape(-1, 2)
    camera = camera[alive] if len(camera) else np.zeros((len(boxes), 2))
    return MASK_OF_BOX * never_uncovered(boxes, camera, margin) / (crop.width * crop.height)
