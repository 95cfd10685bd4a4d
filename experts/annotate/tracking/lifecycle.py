"""The tracks' life cycle: birth, update, loss and re-identification from keyframe to keyframe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.wording import counted
from experts.annotate.frame_stream import Frame, FrameSequence
from experts.annotate.tracking.association import (
    Detected,
    DetectionCandidate,
    associate,
    candidates,
    reidentification,
    similarity,
)
from experts.annotate.tracking.between import Keyed, between, followed, mean_trust
from experts.annotate.tracking.propagate import Span, trace
from experts.annotate.tracking.results import GrowingTrack, TrackedObject, resized, tracked_objects
from experts.annotate.tracking.settings import TrackerSettings
from experts.masks.geometry import Box, Mask, box_iou, box_of, clean, iou
from experts.progress import tell


class ObjectDetector(Protocol):
    def load(self) -> None: ...
    def close(self) -> None: ...
    def detect(
        self, frames: Sequence[NDArray[np.uint8]], phrases: Sequence[str] = ()
    ) -> Sequence[Sequence[Detected]]:
        """The objects in each frame ([H, W, 3] RGB), best first.

        A detector of any phrase looks for `phrases`, where there are some, and labels with them;
        one of a closed vocabulary finds what it knows and leaves the choice to its caller.
        """
        ...


class BoxSegmenter(Protocol):
    def load(self) -> None: ...
    def close(self) -> None: ...
    def encode(self, frame: NDArray[np.uint8]) -> Any: ...
    def decode(self, embedding: Any, box: Box, prior: Mask | None = None) -> tuple[Mask, float]: ...


class TrackingRun:
    """The tracks of one clip, from keyframe to keyframe."""

    def __init__(
        self,
        frames: FrameSequence,
        keys: Sequence[int],
        detector: ObjectDetector,
        segmenter: BoxSegmenter,
        settings: TrackerSettings,
        phrases: Sequence[str] = (),
    ) -> None:
        self.phrases = phrases
        self.detector = detector
        self.segmenter = segmenter
        self.settings = settings
        self.frames = frames
        self.keys = keys
        height, width = frames.shape[1:3]
        self.scale = min(1.0, settings.working_side / max(height, width))
        self.height = max(1, round(height * self.scale))
        self.width = max(1, round(width * self.scale))
        self.least_area = settings.min_area * self.height * self.width  # px
        self.embedding: Any = None  # of the keyframe visited last, if it was needed
        self.seen: dict[int, Sequence[Detected]] = {}
        self.active: list[GrowingTrack] = []
        self.ended: list[GrowingTrack] = []

    # -- geometry ------------------------------------------------------------------------------

    def _working(self, frame: Frame) -> Frame:
        if self.scale == 1.0:
            return frame
        size = (self.width, self.height)
        return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))

    def _decode(self, embedding: Any, box: Box, prior: Mask | None) -> tuple[Mask, float]:
        """Decode at the frame's own size, given and answered at working size."""
        x0, y0, x1, y1 = (value / self.scale for value in box)
        height, width = self.frames.shape[1:3]
        full = None if prior is None else resized(prior, height, width)
        mask, quality = self.segmenter.decode(embedding, (x0, y0, x1, y1), full)
        return resized(mask, self.height, self.width), quality

    # -- the walk over keyframes ---------------------------------------------------------------

    def objects(self, check_stop: Callable[[], None]) -> list[TrackedObject]:
        (first,) = self.frames[:1]
        self._visit(0, first, self._detect(0, first), None)
        for begin, key in pairwise(self.keys):
            check_stop()
            tell(f"tracking {counted(len(self.active), 'object')}", begin, len(self.frames))
            self._follow(begin, key)
        self.ended += self.active
        shape = (len(self.frames), *self.frames.shape[1:3])
        return tracked_objects(self.ended, shape, self.settings, self.seen)

    def _follow(self, begin: int, key: int) -> None:
        """From one keyframe to the next; only the frames from one to the other are read."""
        frames = self.frames[begin : key + 1]
        detections = self._detect(key, frames[-1])
        if not detections and not self.active:
            self.embedding = None
            return
        steps = trace([self._working(frame) for frame in frames])
        span = Span(steps)
        half = len(steps) // 2
        if half >= self.settings.min_keyframe_gap and self._is_losing_a_track(span):
            middle, frame = begin + half, frames[half]
            self._visit(middle, frame, self._detect(middle, frame), Span(steps[:half]))
            span = Span(steps[half:])
        self._visit(key, frames[-1], detections, span)

    def _is_losing_a_track(self, span: Span) -> bool:
        """Whether the flow loses an active track before the span's end."""
        return any(
            mean_trust(*span.from_first(track.mask, span.length - 1)) < self.settings.prompt_trust
            for track in self.active
        )

    def _detect(self, key: int, frame: Frame) -> list[DetectionCandidate]:
        (found,) = self.detector.detect([frame], self.phrases)
        self.seen[key] = found
        size = (self.height, self.width)
        return candidates(found, self.scale, size, self.least_area, self.settings.duplicate_iou)

    def _visit(
        self, key: int, frame: Frame, detections: list[DetectionCandidate], span: Span | None
    ) -> None:
        """To keyframe `key`, over the span that ends there: continue, lose and start tracks."""
        tracks, self.active = self.active, []
        propagated: list[Mask] = []
        trusts: list[float] = []
        for track in tracks:
            assert span is not None
            soft, trust_map = span.from_first(track.mask, span.length - 1)
            propagated.append(clean(soft >= 0.5))
            trusts.append(mean_trust(soft, trust_map))
        previous, self.embedding = self.embedding, None
        if detections or any(map(self._may_continue, propagated, trusts)):
            self.embedding = self.segmenter.encode(frame)
        matches = associate(
            [track.label for track in tracks],
            propagated,
            detections,
            self.settings.gate_iou,
            self.settings.similar_label_factor,
        )
        lost: list[GrowingTrack] = []
        for number, (track, mask, trust) in enumerate(zip(tracks, propagated, trusts, strict=True)):
            assert span is not None
            old = Keyed(track.mask, track.quality)
            detection = matches.get(number)
            if self._update(track, detection, mask, trust):
                self.active.append(self._join(track, span, key, old, detection))
            else:
                lost.append(track)
        taken = {id(detection) for detection in matches.values()}
        unmatched = [detection for detection in detections if id(detection) not in taken]
        unmatched.sort(key=lambda one: -one.score * one.area)
        for detection in unmatched:
            if len(self.active) >= self.settings.max_objects:
                break
            mask, quality = self._decode(self.embedding, detection.box, None)
            if mask.sum() < self.least_area or self._is_duplicate(mask, detection.label):
                continue
            self._birth(key, detection, mask, quality, span, previous, lost)
        for track in lost:
            assert span is not None
            self._extend(track, span, key, Keyed(track.mask, track.quality), None)
            self.ended.append(track)

    def _update(
        self, track: GrowingTrack, detection: DetectionCandidate | None, mask: Mask, trust: float
    ) -> bool:
        """Decode `track` anew at this keyframe; False if it is lost there.

        `mask` is what was propagated here, `trust` (0–1) how far it could be followed.
        """
        box = box_of(mask)
        if self.embedding is None or box is None:
            return False
        if detection is not None:
            prior = mask if trust >= self.settings.prompt_trust else None
            decoded, quality = self._decode(self.embedding, detection.box, prior)
            if (
                prior is not None
                and box_iou(box_of(decoded) or box, detection.box) < self.settings.gate_iou
            ):
                decoded, quality = self._decode(self.embedding, detection.box, None)
            track.update(detection.label, detection.score)
        elif not self._may_continue(mask, trust):
            return False
        else:
            decoded, quality = self._decode(self.embedding, box, mask)
            if iou(decoded, mask) < self.settings.agreement_iou:
                return False
            track.missed += 1
            quality *= trust * self.settings.missed_factor**track.missed
        if decoded.sum() < self.least_area or quality < self.settings.min_confidence:
            return False
        if self._is_duplicate(decoded, track.label):
            return False
        track.mask, track.quality = decoded, quality
        return True

    def _may_continue(self, mask: Mask, trust: float) -> bool:
        """Whether a propagated mask is worth decoding where the detector saw nothing."""
        return bool(
            mask.sum() >= self.least_area
            and trust * self.settings.missed_factor >= self.settings.min_confidence
        )

    def _is_duplicate(self, mask: Mask, label: str) -> bool:
        """Whether an active track already has this object at this keyframe."""
        area = mask.sum()
        for other in self.active:
            shared = np.count_nonzero(mask & other.mask)
            if iou(mask, other.mask) > self.settings.duplicate_iou:
                return True
            if label == other.label and shared > self.settings.contained_share * min(
                area, other.mask.sum()
            ):
                return True
        return False

    def _birth(
        self,
        key: int,
        detection: DetectionCandidate,
        mask: Mask,
        quality: float,
        span: Span | None,
        previous: Any,
        lost: list[GrowingTrack],
    ) -> None:
        """Begin a track at `key`, or re-identify a lost one as the detection; look backwards."""
        if span is None:
            track = GrowingTrack(detection.label, detection.score, mask, quality)
            track.update(detection.label, detection.score)
            track.put(key, mask, quality)
            self.active.append(track)
            return
        for track in lost:
            same = similarity(track.label, detection.label, self.settings.similar_label_factor)
            if not same:
                continue
            overlap = reidentification(span, track.mask, mask, self.settings.rim)
            if same * overlap >= self.settings.reidentification_iou:
                old = Keyed(track.mask, track.quality)
                track.mask, track.quality = mask, quality
                track.update(detection.label, detection.score)
                lost.remove(track)
                self.active.append(self._join(track, span, key, old, detection))
                return
        track = GrowingTrack(detection.label, detection.score, mask, quality)
        track.update(detection.label, detection.score)
        begun: Keyed | None = None
        propagated = clean(followed(*span.from_last(mask, 0), self.settings.rim) >= 0.5)
        box = box_of(propagated)
        if previous is not None and box is not None and propagated.sum() >= self.least_area:
            decoded, predicted = self._decode(previous, box, propagated)
            agreement = iou(decoded, propagated)
            if agreement >= self.settings.agreement_iou:
                begun = Keyed(decoded, predicted * agreement * self.settings.missed_factor)
        if begun is None:
            self._extend(track, span, key, None, Keyed(mask, quality))
            self.active.append(track)
        else:
            self.active.append(self._join(track, span, key, begun, detection))

    # -- between keyframes ---------------------------------------------------------------------

    def _join(
        self,
        track: GrowingTrack,
        span: Span,
        key: int,
        old: Keyed,
        detection: DetectionCandidate | None = None,
    ) -> GrowingTrack:
        """Fill the span between a track's last end and its new one; the track that lives on.

        Where the two ends' propagations part on the way, that is a new track.
        """
        new = Keyed(track.mask, track.quality)
        filled = list(between(span, old, new, self.settings, self.least_area))
        if min(confidence for _, _, confidence in filled) >= self.settings.split_confidence:
            for index, mask, confidence in filled:
                track.put(key - span.length + 1 + index, mask, confidence)
            return track
        self._extend(track, span, key, old, None)
        self.ended.append(track)
        successor = GrowingTrack(track.label, track.score, track.mask, track.quality)
        if detection is not None:
            successor.update(detection.label, detection.score)
        self._extend(successor, span, key, None, new)
        return successor

    def _extend(
        self, track: GrowingTrack, span: Span, key: int, first: Keyed | None, last: Keyed | None
    ) -> None:
        """Follow a track from its only end in the span that ends at `key` until it is lost."""
        for index, mask, confidence in between(span, first, last, self.settings, self.least_area):
            if confidence < self.settings.min_confidence:
                return
            track.put(key - span.length + 1 + index, mask, confidence)
