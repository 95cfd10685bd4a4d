"""How an instruction refers to one object among others of its kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from catalog.records import Track
from experts.write.nouns import GOING
from flows.framing import Boxes, Crop, boxes_of, present

CROWD = 8
"""Objects of one kind from which some are surely missed: nobody can say "all" or "the left one"."""

APART = 0.12
"""Least distance, in widths of the picture, between the outermost object and the next one."""

MUCH_LARGER = 2.5
"""Area ratio from which anybody would call an object the large one."""

NEARER = 0.15
"""Least distance, in heights, of the lower edges of the foremost object and the next one."""

GOES = 0.08
"""Widths that an object must travel to be said to go somewhere; half of it is standing."""


def crowded(label: str, tracks: Sequence[Track], crop: Crop, alive: slice) -> bool:
    """Whether in the picture there are too many of a kind to be sure of having all."""
    same = (t for t in tracks if t.label == label)
    return sum(len(_seen(t, crop, alive)) > 0 for t in same) >= CROWD


def refer(track: Track, tracks: Sequence[Track], crop: Crop, alive: slice) -> str | None:
    """ "car", "car on the left", "person walking to the right": a phrase that only this track
    answers to, in the picture that `crop` shows over the frames `alive`; None if there is none."""
    rivals = [t for t in tracks if t.label == track.label and t is not track]
    others = [boxes for t in rivals if len(boxes := _suspected(t, crop, alive))]
    if not others:
        return track.label
    if crowded(track.label, tracks, crop, alive):
        return None
    return next(_phrases(track.label, _seen(track, crop, alive), others), None)


def _phrases(label: str, own: Boxes, others: Sequence[Boxes]) -> Iterator[str]:
    """Every phrase that fits the one and none of the others, the plainest first."""
    centres = [_centre(boxes) for boxes in others]
    if _centre(own) < 0.5 and _centre(own) < min(centres) - APART:
        yield f"{label} on the left"
    if _centre(own) > 0.5 and _centre(own) > max(centres) + APART:
        yield f"{label} on the right"
    if _area(own) > MUCH_LARGER * max(map(_area, others)):
        yield f"large {label}"
    if _foot(own) > max(map(_foot, others)) + NEARER:
        yield f"{label} in the foreground"
    ways = [_travel(boxes) for boxes in others]
    for side, sign in (("left", -1), ("right", 1)):
        if sign * _travel(own) > GOES and all(sign * way < GOES / 2 for way in ways):
            yield f"{label} {GOING.get(label, 'moving')} to the {side}"


def _seen(track: Track, crop: Crop, alive: slice) -> Boxes:
    """[n, 4], shares of the picture's sides, over the frames in which the object can be seen."""
    return present(crop.view(boxes_of(track)[alive]))


def _suspected(track: Track, crop: Crop, alive: slice) -> Boxes:
    """The same for an object that might confuse: the detector may have lost it, but what did not
    walk out of the clip is still there, and what did not walk in has been."""
    boxes = boxes_of(track).copy()
    first, last = track.first_frame, track.last_frame
    if not crop.leaves(boxes[first]):
        boxes[:first] = boxes[first]
    if not crop.leaves(boxes[last]):
        boxes[last + 1 :] = boxes[last]
    return present(crop.view(boxes[alive]))


def _centre(boxes: Boxes) -> float:
    return float(boxes[:, [0, 2]].mean())


def _area(boxes: Boxes) -> float:
    return float((boxes[:, 2:] - boxes[:, :2]).prod(1).mean())


def _foot(boxes: Boxes) -> float:
    """The lower edge: the lower on the picture, the nearer on the ground."""
    return float(np.median(boxes[:, 3]))


def _travel(boxes: Boxes) -> float:
    """From the first to the last frame, to the right."""
    return float((boxes[-1, [0, 2]] - boxes[0, [0, 2]]).mean())
