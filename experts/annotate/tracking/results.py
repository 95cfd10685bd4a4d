"""A track while it grows, and the tracked objects that a clip's tracks become."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.detection.kinds import alike, named
from experts.annotate.tracking.settings import TrackLimits
from experts.annotate.tracking.sightings import Sightings, mean_score, unfollowed
from experts.masks.geometry import Box, Mask, box_of
from experts.masks.packed import MaskTrack, PackedMasks


@dataclass(frozen=True, slots=True)
class TrackedObject:
    """One object over a clip of T frames; outside `first`…`last` (inclusive) everything is empty.

    `score` is the detector's best over the keyframes; `masks` bool [T, H, W], compressed;
    `confidence` float32 [T], 0–1; `boxes` float32 [T, 4], x0, y0, x1, y1 in px, zeros where the
    mask is empty.
    `mean_score` is the detector's over the keyframes, None where it is not known, and `rivals` are
    frames and boxes of others that might be taken for it and that no track follows.
    """

    label: str
    score: float
    masks: MaskTrack
    confidence: NDArray[np.float32]
    first: int
    last: int
    boxes: NDArray[np.float32]
    mean_score: float | None = None
    rivals: tuple[tuple[int, Box], ...] = ()


@dataclass(slots=True, eq=False)
class GrowingTrack:
    """A track while it grows; masks at working size, by frame."""

    label: str
    score: float
    mask: Mask  # decoded at the latest keyframe
    quality: float  # confidence there, 0–1
    missed: int = 0  # keyframes in a row without a detection
    masks: PackedMasks = field(init=False)
    confidence: dict[int, float] = field(default_factory=dict)
    votes: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.masks = PackedMasks(*self.mask.shape)

    def update(self, label: str, score: float) -> None:
        """With a detection: its label has the votes of its score."""
        self.votes[label] = self.votes.get(label, 0.0) + score
        self.label = max(self.votes, key=lambda name: self.votes[name])
        self.score = max(self.score, score)
        self.missed = 0

    def put(self, frame: int, mask: Mask, confidence: float) -> None:
        self.masks[frame] = mask
        self.confidence[frame] = confidence


def tracked_objects(
    tracks: Sequence[GrowingTrack],
    shape: tuple[int, int, int],
    settings: TrackLimits,
    seen: Sightings | None = None,
) -> list[TrackedObject]:
    """The tracks that are long enough, at the clip's size `shape` (T, H, W): at most
    `settings.max_objects`, ranked by score × mean area × frames covered. `seen` is what they were
    detected among, if that is known."""
    ranked: list[tuple[float, GrowingTrack, int, int]] = []
    for track in tracks:
        good = [t for t, c in track.confidence.items() if c >= settings.min_confidence]
        if len(good) < min(settings.min_frames, shape[0]):
            continue
        area = float(np.mean([track.masks.area(t) for t in good]))
        ranked.append((track.score * area * len(good), track, min(good), max(good)))
    ranked.sort(key=lambda entry: (-entry[0], entry[2]))
    objects = [
        _tracked_object(track, first, last, shape)
        for _, track, first, last in ranked[: settings.max_objects]
    ]
    return objects if seen is None else [_among(one, objects, seen) for one in objects]


def _among(one: TrackedObject, objects: Sequence[TrackedObject], seen: Sightings) -> TrackedObject:
    """The object with what the detector says of it and of its like."""
    like = [other.boxes for other in objects if alike(other.label, one.label)]
    return dataclasses.replace(
        one,
        mean_score=mean_score(one.label, one.boxes, seen),
        rivals=tuple(unfollowed(one.label, like, seen)),
    )


def _tracked_object(
    track: GrowingTrack, first: int, last: int, shape: tuple[int, int, int]
) -> TrackedObject:
    frames, height, width = shape
    confidence = np.zeros(frames, np.float32)
    boxes = np.zeros((frames, 4), np.float32)
    absent = np.zeros((height, width), bool)

    def masks() -> Iterator[Mask]:
        for t in range(frames):
            if not first <= t <= last or t not in track.masks:
                yield absent
                continue
            mask = resized(track.masks[t], height, width)
            confidence[t] = track.confidence[t]
            box = box_of(mask)
            if box is not None:
                boxes[t] = box
            yield mask

    found = MaskTrack(masks(), (height, width))
    label = named(track.label, track.score)
    return TrackedObject(label, track.score, found, confidence, first, last, boxes)


def resized(mask: Mask, height: int, width: int) -> Mask:
    """The mask at another size, cut at one half."""
    if mask.shape == (height, width):
        return mask
    shrinks = height < mask.shape[0]
    soft = cv2.resize(
        mask.astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return np.asarray(soft >= 0.5)
