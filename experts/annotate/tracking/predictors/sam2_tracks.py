"""The tracks of one clip as SAM 2 follows them: born at keyframes, followed forward, then back.

1. Forward, frame by frame, each object is followed by its own memory over the features that all
   share. At a keyframe each detection's box is segmented by itself; where that mask is a followed
   object's by more than half (IoU), it votes for the object's label, otherwise it is a new object,
   prompted there. So what enters late is found, and nothing is tracked twice.
2. Objects born later than the first frame are followed back from there, in one more pass over the
   frames before the last birth. One that meets a track that was lost by the time of its birth is
   that object found again, and becomes part of it; one that meets any other track ends there.

An object is followed until it has been gone for `absent_frames`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from experts.annotate.tracking.association import DetectionCandidate
from experts.annotate.tracking.predictors.duplicates import without_duplicates
from experts.annotate.tracking.predictors.sam2_memory import ObjectMemory, Segmented, VideoMemory
from experts.annotate.tracking.results import GrowingTrack, TrackedObject, tracked_objects
from experts.annotate.tracking.settings import TrackLimits
from experts.masks.geometry import Mask, iou


@dataclass(frozen=True, kw_only=True)
class VideoSettings(TrackLimits):
    """What steers a tracker with a video memory."""

    match_iou: float = 0.5
    """Mask IoU above which a detection is a followed object: above one half a mask can match one
    only of several that do not overlap (Kirillov et al., "Panoptic Segmentation", CVPR 2019)."""

    absent_frames: int = 16
    """An object that was not seen for so many frames is no longer followed. SAM 2's memory holds
    the pointers of 16 frames (`max_object_pointers_in_encoder`)."""


@dataclass(slots=True, eq=False)
class Followed:
    """A track, and what it takes to go on with it."""

    track: GrowingTrack
    memory: ObjectMemory
    born: int  # the frame on which it was prompted
    seen: int  # the frame on which it was last there


class VideoTracks:
    """Follows what was detected in one clip. `detections` are by keyframe, in px of the frames;
    `forward` and `backward` are the network's memories of the clip in either direction."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        detections: Mapping[int, Sequence[DetectionCandidate]],
        forward: VideoMemory,
        backward: VideoMemory,
        settings: VideoSettings,
    ) -> None:
        self.shape = shape
        self.detections = detections
        self.forward = forward
        self.backward = backward
        self.settings = settings
        self.least_area = settings.min_area * shape[1] * shape[2]  # px
        self.followed: list[Followed] = []

    def objects(self, check_stop: Callable[[], None]) -> list[TrackedObject]:
        """Of the whole clip, largest first. `check_stop` is called before each frame."""
        self._go_forward(check_stop)
        self._go_back(check_stop)
        tracks = [one.track for one in self.followed]
        # What the network remembers goes before the masks are unpacked.
        self.followed = []
        tracks = without_duplicates(tracks, self.settings)
        return tracked_objects(tracks, self.shape, self.settings, self.detections)

    # -- forward -------------------------------------------------------------------------------

    def _go_forward(self, check_stop: Callable[[], None]) -> None:
        active: list[Followed] = []
        for frame in range(self.shape[0]):
            check_stop()
            detected = self.detections.get(frame, ())
            if not active and not detected:
                continue
            self.forward.show(frame)
            for one in active:
                self._put(one, frame, self.forward.follow(one.memory))
            if detected:
                active = self._distinct(active)
                active += self._born(frame, detected, active)
            active = [one for one in active if frame - one.seen < self.settings.absent_frames]
            self._forget_all_but(active)
        self._forget_all_but(())  # what was remembered forward is no use backward

    def _forget_all_but(self, active: Sequence[Followed]) -> None:
        for one in self.followed:
            if one not in active:
                one.memory.followed.clear()

    def _put(self, one: Followed, frame: int, found: Segmented) -> None:
        if found.mask.sum() < self.least_area:
            found = Segmented(found.mask, 0.0)
        one.track.mask, one.track.quality = found.mask, found.confidence
        one.track.put(frame, found.mask, found.confidence)
        if found.confidence >= self.settings.min_confidence:
            one.seen = frame

    def _distinct(self, active: Sequence[Followed]) -> list[Followed]:
        """Those of `active` that are not on the object of an earlier one."""
        kept: list[Followed] = []
        for one in active:
            if not any(
                iou(one.track.mask, other.track.mask) > self.settings.duplicate_iou
                for other in kept
            ):
                kept.append(one)
        return kept

    def _born(
        self, frame: int, detected: Sequence[DetectionCandidate], active: Sequence[Followed]
    ) -> list[Followed]:
        """New objects among those detected on `frame`, at most as many as may be followed."""
        born: list[Followed] = []
        for candidate in sorted(detected, key=lambda each: -each.score * each.area):
            found, memory = self.forward.prompt(candidate.box)
            here = [*active, *born]
            same = self._same(found.mask, here)
            if same is not None:
                same.track.update(candidate.label, candidate.score)
                continue
            if len(here) >= self.settings.max_objects or not self._is_object(
                found, candidate.label, here
            ):
                continue
            one = Followed(
                GrowingTrack(candidate.label, candidate.score, found.mask, found.confidence),
                memory,
                born=frame,
                seen=frame,
            )
            one.track.update(candidate.label, candidate.score)
            self._put(one, frame, found)
            born.append(one)
        self.followed += born
        return born

    def _same(self, mask: Mask, others: Sequence[Followed]) -> Followed | None:
        """The one whose mask overlaps most with `mask`, if by more than `match_iou`."""
        overlap, number = max(
            ((iou(mask, other.track.mask), -place) for place, other in enumerate(others)),
            default=(0.0, 0),
        )
        return others[-number] if overlap > self.settings.match_iou else None

    def _is_object(self, found: Segmented, label: str, others: Sequence[Followed]) -> bool:
        """Whether a mask is large and sure enough, and no part of another of that label."""
        area = found.mask.sum()
        if area < self.least_area or found.confidence < self.settings.min_confidence:
            return False
        return not any(
            label == other.track.label
            and (found.mask & other.track.mask).sum() > self.settings.contained_share * area
            for other in others
        )

    # -- backward ------------------------------------------------------------------------------

    def _go_back(self, check_stop: Callable[[], None]) -> None:
        late = [one for one in self.followed if one.born > 0]
        for one in late:
            one.seen = one.born
        for frame in range(max((one.born for one in late), default=0) - 1, -1, -1):
            check_stop()
            late = [one for one in late if one.seen - frame <= self.settings.absent_frames]
            active = [one for one in late if one.born > frame]
            if not active:
                continue
            self.backward.show(frame)
            for one in active:
                found = self.backward.follow(one.memory)
                met = self._met(one, frame, found.mask)
                if met is None:
                    self._put(one, frame, found)
                else:
                    late.remove(one)
                    if not self._is_on(met, one.born):
                        self._join(met, one)

    def _met(self, one: Followed, frame: int, mask: Mask) -> Followed | None:
        """The other track that has this object on `frame`."""
        others = [
            other for other in self.followed if other is not one and self._is_on(other, frame)
        ]
        overlaps = [iou(mask, other.track.masks[frame]) for other in others]
        best = max(overlaps, default=0.0)
        return others[overlaps.index(best)] if best > self.settings.match_iou else None

    def _is_on(self, one: Followed, frame: int) -> bool:
        """Whether `one` is surely seen on `frame`."""
        confidence = one.track.confidence.get(frame)
        return confidence is not None and confidence >= self.settings.min_confidence

    def _join(self, earlier: Followed, later: Followed) -> None:
        """Makes `later` part of `earlier`, the same object before it was lost."""
        for frame, confidence in later.track.confidence.items():
            if earlier.track.confidence.get(frame, 0.0) < confidence:
                earlier.track.put(frame, later.track.masks[frame], confidence)
        for label, votes in later.track.votes.items():
            earlier.track.votes[label] = earlier.track.votes.get(label, 0.0) + votes
        earlier.track.label = max(earlier.track.votes, key=lambda name: earlier.track.votes[name])
        earlier.track.score = max(earlier.track.score, later.track.score)
        self.followed.remove(later)
