"""How an instruction refers to one object among others of its kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from catalog.records import Track
from experts.annotate.tracking.kinds import VEHICLE, alike
from experts.plan.framing import Boxes, Crop, boxes_of, present
from experts.write.nouns import GOING

CROWD = 8
"""Objects of one kind from which some are surely missed: nobody can say "all" or "the left one"."""

APART = 0.12
"""Least distance, in widths of the picture, between the outermost object and the next one."""

MUCH_LARGER = 2.5
"""Area ratio from which anybody would call an object the large one."""

ALWAYS = 0.04
"""Least lead, in widths, of the outermost object over every other in every frame."""

OUTER = 1 / 3
"""Share of the picture's width at each side that anybody calls the far left or right."""

NEARER = 0.15
"""Least distance, in heights, of the lower edges of the foremost object and the next one."""

GOES = 0.08
"""Widths that an object must travel to be said to go somewhere; half of it is standing."""


def crowded(label: str, tracks: Sequence[Track], crop: Crop, alive: slice) -> bool:
    """Whether in the picture there are too many of a kind to be sure of having all."""
    same = (t for t in tracks if alike(t.label, label))
    return sum(bool(crop.view(boxes_of(t)[alive]).any()) for t in same) >= CROWD


def in_doubt(
    label: str, tracks: Sequence[Track], crop: Crop, alive: slice, min_score: float
) -> bool:
    """Whether something in the picture may or may not be one of a kind: a vehicle that is perhaps
    a car, a car that is perhaps a reflection. Of doubtful vehicles all alike are meant."""
    kin = (t for t in tracks if alike(t.label, label))
    unsure = (t for t in kin if t.label == VEHICLE != label or t.score < min_score)
    return any(crop.view(boxes_of(t)[alive]).any() for t in unsure)


def refer(track: Track, tracks: Sequence[Track], crop: Crop, alive: slice) -> str | None:
    """ "car", "car on the left", "person walking to the right": a phrase that only this track
    answers to, in the picture that `crop` shows over the frames `alive`; None if there is none."""
    rivals = [t for t in tracks if alike(t.label, track.label) and t is not track]
    others = [boxes for t in rivals if (boxes := crop.view(_suspected(t, crop)[alive])).any()]
    if not others:
        return track.label
    if crowded(track.label, tracks, crop, alive):
        return None
    return next(_phrases(track.label, crop.view(boxes_of(track)[alive]), others), None)


def _suspected(track: Track, crop: Crop) -> Boxes:
    """The boxes of an object that might confuse: the detector may have lost it, but what did not
    walk out of the clip is still there, and what did not walk in has been."""
    boxes = boxes_of(track).copy()
    first, last = track.first_frame, track.last_frame
    if not crop.leaves(boxes[first]):
        boxes[:first] = boxes[first]
    if not crop.leaves(boxes[last]):
        boxes[last + 1 :] = boxes[last]
    return boxes


def _phrases(label: str, own: Boxes, others: Sequence[Boxes]) -> Iterator[str]:
    """Every phrase that fits the one and none of the others, the plainest first; boxes per frame,
    shares of the picture's sides."""
    gap_left = min(map(_centre, others)) - _centre(own)
    gap_right = _centre(own) - max(map(_centre, others))
    if _centre(own) < 0.5 and gap_left > APART:
        yield f"{label} on the left"
    if _centre(own) > 0.5 and gap_right > APART:
        yield f"{label} on the right"
    if label != "person" and _area(own) > MUCH_LARGER * max(map(_area, others)):
        yield f"large {label}"
    if _foot(own) > max(map(_foot, others)) + NEARER:
        yield f"{label} in the foreground"
    leads = [_lead(own, boxes) for boxes in others]
    if _centre(own) < OUTER and max(lead.max() for lead in leads) < -ALWAYS:
        yield f"{label} on the far left"
    if _centre(own) > 1 - OUTER and min(lead.min() for lead in leads) > ALWAYS:
        yield f"{label} on the far right"
    travels = [_travel(boxes) for boxes in others]
    for side, sign in (("left", -1), ("right", 1)):
        if sign * _travel(own) > GOES and all(sign * travel < GOES / 2 for travel in travels):
            yield f"{label} {GOING.get(label, 'moving')} to the {side}"


def _centre(boxes: Boxes) -> float:
    return float(present(boxes)[:, [0, 2]].mean())


def _area(boxes: Boxes) -> float:
    there = present(boxes)
    return float((there[:, 2:] - there[:, :2]).prod(1).mean())


def _foot(boxes: Boxes) -> float:
    """The lower edge: the lower on the picture, the nearer on the ground."""
    return float(np.median(present(boxes)[:, 3]))


def _travel(boxes: Boxes) -> float:
    """From the first to the last frame, to the right."""
    there = present(boxes)
    return float((there[-1, [0, 2]] - there[0, [0, 2]]).mean())


def _lead(own: Boxes, other: Boxes) -> NDArray[np.float64]:
    """Per frame with both, how far the one is to the right of the other; [0.0] if never both."""
    both = (own[:, 2] > own[:, 0]) & (other[:, 2] > other[:, 0])
    lead: NDArray[np.float64] = (own - other)[both][:, [0, 2]].mean(1)
    return lead if len(lead) else np.zeros(1)
