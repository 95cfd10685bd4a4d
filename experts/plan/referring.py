"""How an instruction refers to one object among others of its kind.

An expression is used only where it fits this object and no other that a person sees, in nearly
every frame of the edit. The others are the tracks of the kind and what the detector saw beside them
(`Track.rivals`); a track that ends inside the picture is taken to be there still. What is said of
motion is said of the way through the scene, and only where the picture shows the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.records import Clip, Track
from experts.annotate.detection.kinds import VEHICLE, alike
from experts.plan.attached import MOUNTS
from experts.plan.framing import Boxes, Crop, area_of, boxes_of, present
from experts.write.language.nouns import GOING
from experts.write.travel import scene_places

CROWD = 8
"""Objects of one kind from which some are surely missed: nobody can say "all" or "the left one"."""

HOLDS = 0.9
"""Share of the frames in which what is said of a place or a size must be so."""

APART = 0.12
"""Least distance, in widths of the picture, between the outermost object and the next one."""

SIDE = 0.45
"""Share of the picture's width at each side that is left or right, and not the middle."""

MUCH_LARGER = 2.5
"""Area ratio from which anybody would call an object the large one."""

LEVEL = 0.05
"""In heights of the picture: an object whose lower edge is lower than another's by more is nearer,
which makes it look large."""

SPECK = 1 / 12
"""Area over the object's below which another one is not looked at."""

ALWAYS = 0.04
"""Least lead, in widths, of the outermost object over every other in every frame."""

OUTER = 1 / 3
"""Share of the picture's width at each side that anybody calls the far left or right."""

NEARER = 0.15
"""Least distance, in heights, of the lower edges of the foremost object and the next one."""

LOOKS_NEARER = 1.2
"""Least area ratio of the foremost object and any other: of like things the near one is larger."""

FOREGROUND = 0.8
"""Least height, from the top, of the lower edge of what anybody calls the foreground."""

GOES = 0.08
"""Widths that an object must travel to be said to go somewhere; half of it is standing."""

EITHER_HALF = 0.25
"""Share of its way, at least, that it goes in either half of the time."""

HASTE = 1.6
"""Own heights a second: who goes faster does not walk (as in experts.local_edits.captions)."""

REACH = 12
"""Frames to either side for which something that was seen in one frame is taken to be there: half
of what lies between two keyframes, and some more."""


def surely_labelled(track: Track, min_score: float, min_mean_score: float) -> bool:
    """Whether an instruction may call the object by its label: the detector gave it once with
    `min_score`, and over the keyframes with `min_mean_score`."""
    mean = track.score if track.mean_score is None else track.mean_score
    return track.score >= min_score and mean >= min_mean_score


def crowded(label: str, tracks: Sequence[Track], crop: Crop, alive: slice) -> bool:
    """Whether in the picture there are too many of a kind to be sure of having all."""
    same = [t for t in tracks if alike(t.label, label)]
    followed = sum(bool(crop.view(boxes_of(t)[alive]).any()) for t in same)
    beside = max((_most_at_once(t, crop, alive) for t in same), default=0)
    return followed + beside >= CROWD


def in_doubt(
    label: str, tracks: Sequence[Track], crop: Crop, alive: slice, min_score: float
) -> bool:
    """Whether something in the picture may or may not be one of a kind: a vehicle that is perhaps
    a car, a car that is perhaps a reflection, a person whom no track follows. Of doubtful vehicles
    all alike are meant."""
    kin = [t for t in tracks if alike(t.label, label)]
    unsure = (t for t in kin if t.label == VEHICLE != label or t.score < min_score)
    seen = any(crop.view(boxes_of(t)[alive]).any() for t in unsure)
    return seen or any(_most_at_once(t, crop, alive) for t in kin)


def refer(
    track: Track, tracks: Sequence[Track], clip: Clip, crop: Crop, alive: slice
) -> str | None:
    """ "car", "car on the left", "person walking to the right": a phrase that only this track
    answers to, in the picture that `crop` shows over the frames `alive`; None if there is none."""
    own = crop.view(boxes_of(track)[alive])
    rivals = [t for t in tracks if alike(t.label, track.label) and t is not track]
    followed = [_suspected(t, clip, crop)[alive] for t in rivals]
    sighted = list(_sightings(track, clip, alive))
    seen = crop.view(np.reshape([*followed, *sighted], (-1, *own.shape)))
    areas, own_area = _area(seen), _area(own)
    looked_at = (areas > 0) & (areas >= SPECK * own_area)
    if not looked_at.any():
        return track.label
    a_speck = own_area < SPECK * areas[looked_at].max()  # "the left one" is another
    if a_speck or crowded(track.label, tracks, crop, alive):
        return None
    travels = None
    if not seen[len(followed) :].any():  # nobody knows where those go
        travels = [_travel(t, clip, crop, alive) for t in (track, *rivals)]
    here = _Instance(track.label, own, seen[looked_at], travels, _verb(track, tracks, clip, alive))
    return next(here.phrases(), None)


@dataclass(frozen=True, slots=True)
class _Instance:
    """One object, the others of its kind, and how far it and they go to the right (None: it is not
    known); boxes per frame, shares of the picture's sides."""

    label: str
    own: Boxes
    others: NDArray[np.float64]  # [n, frames, 4]
    travels: Sequence[tuple[float, float]] | None
    verb: str

    def phrases(self) -> Iterator[str]:
        """Every phrase that fits the one and none of the others, the plainest first."""
        label = self.label
        for side, sign in (("left", -1), ("right", 1)):
            if self._is_beyond(sign, 0.5 - SIDE) and self._leads(sign, APART, APART / 2):
                yield f"{label} on the {side}"
        if self._is_nearest():
            low = _foot(self.own) >= FOREGROUND
            yield f"{label} {'in the foreground' if low else 'closest to the camera'}"
        if label != "person" and self._is_largest():
            yield f"large {label}"
        for side, sign in (("left", -1), ("right", 1)):
            if self._is_beyond(sign, 0.5 - OUTER) and self._leads(sign, ALWAYS, ALWAYS):
                yield f"{label} on the far {side}"
        for side, sign in (("left", -1), ("right", 1)):
            if self._alone_goes(sign):
                yield f"{label} {self.verb} to the {side}"

    def _is_beyond(self, sign: int, least: float) -> bool:
        """Whether it is more than `least` widths to one side of the middle, nearly always."""
        x = present(self.own)[:, [0, 2]].mean(1)
        return float(np.mean(sign * (x - 0.5) > least)) >= HOLDS

    def _leads(self, sign: int, usually: float, always: float) -> bool:
        """Whether it is further to the side than each other one: by `usually` on the mean, and in
        nearly all frames by `always`."""
        for boxes in self.others:
            lead = sign * _lead(self.own, boxes)
            if lead.mean() <= usually or np.mean(lead > always) < HOLDS:
                return False
        return True

    def _is_nearest(self) -> bool:
        """By the lower edge: the lower on the picture, the nearer on the ground."""
        foot = _foot(self.own)
        larger = bool((_area(self.own) > LOOKS_NEARER * _area(self.others)).all())
        return larger and foot > max(map(_foot, self.others)) + NEARER

    def _is_largest(self) -> bool:
        """Not only because it is nearer."""
        nearer = _foot(self.own) > max(map(_foot, self.others)) + LEVEL
        largest = _area(self.others).max()
        return not nearer and bool(_area(self.own) > MUCH_LARGER * largest)

    def _alone_goes(self, sign: int) -> bool:
        if self.travels is None:
            return False
        own, *others = self.travels
        goes = min(sign * way for way in own) > GOES
        return goes and all(sign * way < GOES / 2 for ways in others for way in ways)


def _suspected(track: Track, clip: Clip, crop: Crop) -> Boxes:
    """The boxes of an object that might confuse: the detector may have lost it, but what did not
    walk out of the clip is still there, and what did not walk in has been."""
    boxes = boxes_of(track).copy()
    first, last = track.first_frame, track.last_frame
    camera = _camera(clip)
    if not crop.leaves(boxes[first]):
        boxes[:first] = boxes[first] + camera[:first] - camera[first]
    if not crop.leaves(boxes[last]):
        boxes[last + 1 :] = boxes[last] + camera[last + 1 :] - camera[last]
    return boxes


def _sightings(track: Track, clip: Clip, alive: slice) -> Iterator[Boxes]:
    """What the detector saw beside the tracks, each as an object that is there for a while: where
    it is over the frames `alive`, if it is there in any."""
    camera = _camera(clip)
    for frame, *box in np.asarray(track.rivals, np.float64).reshape(-1, 5):
        t = int(frame)
        near = slice(max(alive.start, t - REACH), min(alive.stop, t + REACH + 1))
        if near.start < near.stop:
            boxes = np.zeros((alive.stop - alive.start, 4))
            there = camera[near] - camera[t]
            boxes[near.start - alive.start : near.stop - alive.start] = np.array(box) + there
            yield boxes


def _camera(clip: Clip) -> NDArray[np.float64]:
    """[frames, 4]: how far the background has moved, for both corners of a box."""
    path = np.asarray(clip.camera, np.float64).reshape(-1, 2)
    return np.tile(path, 2) if len(path) == clip.frames else np.zeros((clip.frames, 4))


def _most_at_once(track: Track, crop: Crop, alive: slice) -> int:
    """How many rivals that no track follows were seen in one frame of the edit or near it."""
    rivals = np.asarray(track.rivals, np.float64).reshape(-1, 5)
    frames = rivals[:, 0]
    near = (frames >= alive.start - REACH) & (frames < alive.stop + REACH)
    visible = crop.view(rivals[:, 1:]).any(1) & near
    return max((int((frames[visible] == t).sum()) for t in set(frames[visible])), default=0)


def _verb(track: Track, tracks: Sequence[Track], clip: Clip, alive: slice) -> str:
    """How it is said to go."""
    if track.label == "person" and (
        _rides(track, tracks, alive) or _pace(track, clip, alive) > HASTE
    ):
        return "moving"
    return GOING.get(track.label, "moving")


def _rides(track: Track, tracks: Sequence[Track], alive: slice) -> bool:
    """Whether something to ride on is under the object, or about it, in half of the frames."""
    own = boxes_of(track)[alive]
    for other in tracks:
        if other.label in MOUNTS:
            boxes = boxes_of(other)[alive]
            across = np.minimum(own[:, 2], boxes[:, 2]) - np.maximum(own[:, 0], boxes[:, 0])
            down = np.minimum(own[:, 3], boxes[:, 3]) - np.maximum(own[:, 1], boxes[:, 1])
            if np.mean((across > 0) & (down > 0)) >= 0.5:
                return True
    return False


def _pace(track: Track, clip: Clip, alive: slice) -> float:
    """Own heights a second, through the scene."""
    boxes = boxes_of(track)[alive]
    there = boxes[:, 2] > boxes[:, 0]
    places = scene_places(boxes[there], _camera(clip)[alive][there, :2], clip.width)
    if places is None or len(places) < 2:
        return 0.0
    height = float(np.median(boxes[there, 3] - boxes[there, 1]))
    return abs(float(places[-1, 0] - places[0, 0])) / height / len(places) * clip.fps


def _travel(track: Track, clip: Clip, crop: Crop, alive: slice) -> tuple[float, float]:
    """From the first to the last frame, to the right, in widths of the picture: as the picture
    shows it and through the scene, both 0 where most of the way is made in one half of the time."""
    boxes = boxes_of(track)[alive]
    there = boxes[:, 2] > boxes[:, 0]
    if there.sum() < 3 or not len(clip.camera):
        return 0.0, 0.0
    seen = (boxes[there, 0] + boxes[there, 2]) / 2
    places = scene_places(boxes[there], _camera(clip)[alive][there, :2], clip.width)
    assert places is not None
    ways = []
    for x in (seen, places[:, 0]):
        way, half = x[-1] - x[0], x[len(x) // 2] - x[0]
        steady = way * min(half / way, 1 - half / way) if way else 0.0
        ways.append(float(way) / crop.width if abs(steady) >= EITHER_HALF * abs(way) else 0.0)
    return ways[0], ways[1]


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """[…] of boxes […, n, 4]: the mean over the frames in which there is one; 0 if in none."""
    there = boxes[..., 2] > boxes[..., 0]
    areas: NDArray[np.float64] = area_of(boxes).sum(-1) / np.maximum(there.sum(-1), 1)
    return areas


def _foot(boxes: Boxes) -> float:
    """The lower edge."""
    return float(np.median(present(boxes)[:, 3]))


def _lead(own: Boxes, other: Boxes) -> NDArray[np.float64]:
    """Per frame with both, how far the one is to the right of the other, in widths; where they are
    never there together, how far it is on the mean."""
    both = (own[:, 2] > own[:, 0]) & (other[:, 2] > other[:, 0])
    if not both.any():
        apart = present(own)[:, [0, 2]].mean() - present(other)[:, [0, 2]].mean()
        return np.array([apart])
    lead: NDArray[np.float64] = (own - other)[both][:, [0, 2]].mean(1)
    return lead
