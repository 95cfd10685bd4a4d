"""Objects followed through a clip: detector at keyframes, SAM 2 there, optical flow in between.

1. Keyframes lie evenly, about `keyframe_interval` frames apart, the first and the last included.
   The detector runs on all of them; SAM 2 encodes a keyframe only if there is a detection or a
   live track to decode on it. Where the flow loses a track before the next keyframe (it is fast,
   or leaves), one more is put half-way.
2. Masks of live tracks are carried to the next keyframe by flow (`propagate.py`). Detections are
   assigned to them by box overlap, best pair first; one of a like label must overlap more.
   An assigned track is decoded anew from the detector's box with the carried mask as mask prompt,
   so errors of the flow do not add up. A track the detector missed is decoded from its own carried
   mask and lives on only if the result agrees with it.
3. A detection left over starts a track, which is also followed backwards to the keyframe before.
   If it meets a track that just got lost, there or half-way, the two are one object that moved too
   far, or of which too little was in the frame, for the overlap test.
4. Between two keyframes a track's masks are the fusion of both ends' propagations. Where a track
   has one end only (it enters or leaves) it lasts as far as its confidence.

Confidence, 0–1 per frame, is the masks' quality at the ends (`segment.py`) × how far the flow
inside the mask could be trusted × how far the two propagations agree. A track's `first` and `last`
are the outermost frames of good confidence; a shallow dip inside stays, and shows, a deep one cuts
the track in two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.kinds import named
from experts.annotate.propagate import Soft, Span, trace
from experts.base import Frames, Masks
from experts.masks.geometry import Box, Mask, box_iou, box_of, clean, dilate, iou

WORKING_SIDE = 592
"""px; long side at which flow and masks are computed (SPEC: local edits are 592×336)."""

KEYFRAME_INTERVAL = 16

CLOSEST = 4
"""Frames; no keyframe is put in between nearer than this to its neighbours."""

MAX_OBJECTS = 6
MIN_AREA = 0.002
"""Least share of the frame a tracked mask may cover."""

MIN_FRAMES = 8
"""Shorter tracks are dropped (unless the clip itself is shorter)."""

MIN_CONFIDENCE = 0.5
"""A frame below this does not begin or end a track."""

SAME_OBJECT = 0.3
"""Least box IoU of a carried mask and a detection that continues it."""

ALIKE = (
    frozenset({"car", "truck", "bus", "train"}),
    frozenset({"motorcycle", "bicycle"}),
    frozenset({"cat", "dog", "horse", "sheep", "cow", "bear"}),
    frozenset({"chair", "couch", "bed"}),
)
"""Labels between which detectors waver on one object."""

OTHER_LABEL = 0.7
"""Factor on that IoU where the labels differ but are alike; other labels never meet."""

BREAK = 0.3
"""Least confidence between two keyframes; below it the two ends are two tracks."""

MEETING = 0.4
"""Least IoU of the masks of a lost and a new track, carried to one frame, to be one object."""

AGREEMENT = 0.6
"""Least IoU of carried and decoded mask for a track that the detector missed."""

PRIOR_TRUST = 0.5
"""Trust of a carried mask below which it is no help to the segmenter beside a detector's box."""

MISSED = 0.85
"""Factor on confidence for each keyframe in a row that the detector missed."""

DUPLICATE = 0.7
"""Mask IoU above which two tracks, or box IoU above which two detections, are one object."""

CONTAINED = 0.85
"""Share of a mask inside another of the same label above which it is a part of that."""

RIM = 3
"""px; as far from a trusted patch an untrusted pixel still belongs to a mask's edge."""

GROWTH = 4.0
"""Area ratio to the nearest keyframe's mask above which a mask has leaked."""


class Detected(Protocol):
    """What a detector says of one object; `box` is x0, y0, x1, y1 in px."""

    @property
    def label(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def box(self) -> Box: ...


class ObjectDetector(Protocol):
    def load(self) -> None: ...
    def close(self) -> None: ...
    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> Sequence[Sequence[Detected]]: ...


class BoxSegmenter(Protocol):
    def load(self) -> None: ...
    def close(self) -> None: ...
    def encode(self, frame: NDArray[np.uint8]) -> Any: ...
    def decode(self, embedding: Any, box: Box, prior: Mask | None = None) -> tuple[Mask, float]: ...


@dataclass(frozen=True, slots=True)
class TrackedObject:
    """One object over a clip of T frames; outside `first`…`last` (inclusive) everything is empty.

    `score` is the detector's best over the keyframes; `masks` bool [T, H, W]; `confidence` float32
    [T], 0–1; `boxes` float32 [T, 4], x0, y0, x1, y1 in px, zeros where the mask is empty.
    """

    label: str
    score: float
    masks: Masks
    confidence: NDArray[np.float32]
    first: int
    last: int
    boxes: NDArray[np.float32]


@dataclass(slots=True, eq=False)
class _Track:
    """A track while it grows; masks at working size, by frame."""

    label: str
    score: float
    anchor: Mask  # at the latest keyframe
    quality: float  # confidence there
    missed: int = 0  # keyframes in a row without a detection
    masks: dict[int, Mask] = field(default_factory=dict)
    confidence: dict[int, float] = field(default_factory=dict)
    votes: dict[str, float] = field(default_factory=dict)

    def see(self, label: str, score: float) -> None:
        self.votes[label] = self.votes.get(label, 0.0) + score
        self.label = max(self.votes, key=lambda name: self.votes[name])
        self.score = max(self.score, score)
        self.missed = 0

    def put(self, frame: int, mask: Mask, confidence: float) -> None:
        self.masks[frame] = mask
        self.confidence[frame] = confidence


@dataclass(frozen=True, slots=True)
class _End:
    """A decoded mask at one end of a span, and the confidence there."""

    mask: Mask
    quality: float


@dataclass(frozen=True, slots=True)
class _Find:
    """A detection at working size."""

    label: str
    score: float
    box: Box


def keyframes(frames: int, interval: int) -> list[int]:
    """Evenly spaced frame numbers, first and last included, about `interval` apart."""
    spans = max(1, round((frames - 1) / interval))
    return sorted({round(i * (frames - 1) / spans) for i in range(spans + 1)})


class Tracker:
    """Tracks what `detector` finds, with `segmenter`'s masks. Thread-safe if those two are."""

    name = "keyframe_tracker"

    def __init__(
        self,
        detector: ObjectDetector,
        segmenter: BoxSegmenter,
        keyframe_interval: int = KEYFRAME_INTERVAL,
        max_objects: int = MAX_OBJECTS,
        min_area: float = MIN_AREA,
        min_confidence: float = MIN_CONFIDENCE,
    ) -> None:
        self.detector = detector
        self.segmenter = segmenter
        self.keyframe_interval = keyframe_interval
        self.max_objects = max_objects
        self.min_area = min_area
        self.min_confidence = min_confidence

    @property
    def version(self) -> str:
        parts = [getattr(part, "version", "?") for part in (self.detector, self.segmenter)]
        return "3+" + "+".join(parts)

    def load(self) -> None:
        self.detector.load()
        self.segmenter.load()

    def close(self) -> None:
        self.detector.close()
        self.segmenter.close()

    def track(
        self,
        frames: Frames,
        keyframe_interval: int | None = None,
        check_stop: Callable[[], None] = lambda: None,
    ) -> list[TrackedObject]:
        """The objects in `frames`, uint8 RGB [T, H, W, 3] without a cut in them, largest first.

        At most `max_objects`, ranked by score × mean area × frames covered. `check_stop` is called
        between keyframes and may raise.
        """
        if not len(frames):
            return []
        keys = keyframes(len(frames), keyframe_interval or self.keyframe_interval)
        run = _Run(self, frames, keys)
        return run.objects(check_stop)


class _Run:
    """The state of one clip's tracking; one object per call keeps `Tracker` shareable."""

    def __init__(self, tracker: Tracker, frames: Frames, keys: list[int]) -> None:
        self.tracker = tracker
        self.frames = frames
        self.keys = keys
        height, width = frames.shape[1:3]
        self.scale = min(1.0, WORKING_SIDE / max(height, width))
        self.height = max(1, round(height * self.scale))
        self.width = max(1, round(width * self.scale))
        self.least = tracker.min_area * self.height * self.width  # px
        self.embedding: Any = None  # of the keyframe visited last, if it was needed
        self.live: list[_Track] = []
        self.ended: list[_Track] = []

    # -- geometry ------------------------------------------------------------------------------

    def _small(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.scale == 1.0:
            return frame
        size = (self.width, self.height)
        return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))

    def _resized(self, mask: Mask, height: int, width: int) -> Mask:
        if mask.shape == (height, width):
            return mask
        shrinks = height < mask.shape[0]
        soft = cv2.resize(
            mask.astype(np.float32),
            (width, height),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )
        return np.asarray(soft >= 0.5)

    def _decode(self, embedding: Any, box: Box, prior: Mask | None) -> tuple[Mask, float]:
        """Decode at the frame's own size, given and answered at working size."""
        x0, y0, x1, y1 = (value / self.scale for value in box)
        height, width = self.frames.shape[1:3]
        full = None if prior is None else self._resized(prior, height, width)
        mask, quality = self.tracker.segmenter.decode(embedding, (x0, y0, x1, y1), full)
        return self._resized(mask, self.height, self.width), quality

    # -- the walk over keyframes ---------------------------------------------------------------

    def objects(self, check_stop: Callable[[], None]) -> list[TrackedObject]:
        detect = self.tracker.detector.detect
        finds = [self._sift(found) for found in detect([self.frames[key] for key in self.keys])]
        self._visit(self.keys[0], finds[0], None)
        for (begin, key), found in zip(pairwise(self.keys), finds[1:], strict=True):
            check_stop()
            if not found and not self.live:
                self.embedding = None
                continue
            steps = trace([self._small(frame) for frame in self.frames[begin : key + 1]])
            span = Span(steps)
            half = len(steps) // 2
            if half >= CLOSEST and self._slips(span):
                middle = begin + half
                (between,) = detect([self.frames[middle]])
                self._visit(middle, self._sift(between), Span(steps[:half]))
                span = Span(steps[half:])
            self._visit(key, found, span)
        self.ended += self.live
        return self._results()

    def _slips(self, span: Span) -> bool:
        """Whether the flow loses a live track before the span's end."""
        return any(
            _trust(*span.from_first(track.anchor, span.length - 1)) < PRIOR_TRUST
            for track in self.live
        )

    def _sift(self, found: Sequence[Detected]) -> list[_Find]:
        """Detections at working size, best first, large enough, one per object."""
        kept: list[_Find] = []
        for one in sorted(found, key=lambda one: -one.score):
            x0, y0, x1, y1 = (float(value) * self.scale for value in one.box)
            box = (max(0.0, x0), max(0.0, y0), min(self.width, x1), min(self.height, y1))
            if (box[2] - box[0]) * (box[3] - box[1]) < self.least or box[2] <= box[0]:
                continue
            if all(box_iou(box, other.box) < DUPLICATE for other in kept):
                kept.append(_Find(one.label, float(one.score), box))
        return kept

    def _visit(self, key: int, found: list[_Find], span: Span | None) -> None:
        """To keyframe `key`, over the span that ends there: continue, lose and start tracks."""
        tracks, self.live = self.live, []
        arrived: list[Mask] = []
        trusts: list[float] = []
        for track in tracks:
            assert span is not None
            carried = span.from_first(track.anchor, span.length - 1)
            arrived.append(clean(carried[0] >= 0.5))
            trusts.append(_trust(*carried))
        previous, self.embedding = self.embedding, None
        if found or any(map(self._may_live, arrived, trusts)):
            self.embedding = self.tracker.segmenter.encode(self.frames[key])
        matches = _assign(tracks, arrived, found)
        lost: list[_Track] = []
        for number, (track, mask, trust) in enumerate(zip(tracks, arrived, trusts, strict=True)):
            assert span is not None
            old = _End(track.anchor, track.quality)
            find = matches.get(number)
            if self._anchor(track, find, mask, trust):
                self.live.append(self._join(track, span, key, old, find))
            else:
                lost.append(track)
        taken = {id(find) for find in matches.values()}
        fresh = [find for find in found if id(find) not in taken]
        fresh.sort(key=lambda one: -one.score * _area(one.box))
        for find in fresh:
            if len(self.live) >= self.tracker.max_objects:
                break
            mask, quality = self._decode(self.embedding, find.box, None)
            if mask.sum() < self.least or self._known(mask, find.label):
                continue
            self._start(key, find, mask, quality, span, previous, lost)
        for track in lost:
            assert span is not None
            self._trail(track, span, key, _End(track.anchor, track.quality), None)
            self.ended.append(track)

    def _anchor(self, track: _Track, find: _Find | None, mask: Mask, trust: float) -> bool:
        """Decode `track` anew at this keyframe; False if it is lost there.

        `mask` is what was carried here, `trust` (0–1) how far it could be followed.
        """
        box = box_of(mask)
        if self.embedding is None or box is None:
            return False
        if find is not None:
            prior = mask if trust >= PRIOR_TRUST else None
            decoded, quality = self._decode(self.embedding, find.box, prior)
            if prior is not None and box_iou(box_of(decoded) or box, find.box) < SAME_OBJECT:
                decoded, quality = self._decode(self.embedding, find.box, None)
            track.see(find.label, find.score)
        elif not self._may_live(mask, trust):
            return False
        else:
            decoded, quality = self._decode(self.embedding, box, mask)
            if iou(decoded, mask) < AGREEMENT:
                return False
            track.missed += 1
            quality *= trust * MISSED**track.missed
        if decoded.sum() < self.least or quality < self.tracker.min_confidence:
            return False
        if self._known(decoded, track.label):
            return False
        track.anchor, track.quality = decoded, quality
        return True

    def _may_live(self, mask: Mask, trust: float) -> bool:
        """Whether a carried mask is worth decoding where the detector saw nothing."""
        return bool(mask.sum() >= self.least and trust * MISSED >= self.tracker.min_confidence)

    def _known(self, mask: Mask, label: str) -> bool:
        """Whether a live track already has this object at this keyframe."""
        area = mask.sum()
        for other in self.live:
            shared = np.count_nonzero(mask & other.anchor)
            if iou(mask, other.anchor) > DUPLICATE:
                return True
            if label == other.label and shared > CONTAINED * min(area, other.anchor.sum()):
                return True
        return False

    def _start(
        self,
        key: int,
        find: _Find,
        mask: Mask,
        quality: float,
        span: Span | None,
        previous: Any,
        lost: list[_Track],
    ) -> None:
        """Begin a track at `key`, or continue a lost one that comes to meet it; look backwards."""
        if span is None:
            track = _Track(find.label, find.score, mask, quality)
            track.see(find.label, find.score)
            track.put(key, mask, quality)
            self.live.append(track)
            return
        for track in lost:
            same = _likeness(track.label, find.label)
            if same and same * _meeting(span, track.anchor, mask) >= MEETING:
                old = _End(track.anchor, track.quality)
                track.anchor, track.quality = mask, quality
                track.see(find.label, find.score)
                lost.remove(track)
                self.live.append(self._join(track, span, key, old, find))
                return
        track = _Track(find.label, find.score, mask, quality)
        track.see(find.label, find.score)
        begun: _End | None = None
        carried = clean(_vouched(*span.from_last(mask, 0)) >= 0.5)
        box = box_of(carried)
        if previous is not None and box is not None and carried.sum() >= self.least:
            decoded, predicted = self._decode(previous, box, carried)
            agreement = iou(decoded, carried)
            if agreement >= AGREEMENT:
                begun = _End(decoded, predicted * agreement * MISSED)
        if begun is None:
            self._trail(track, span, key, None, _End(mask, quality))
            self.live.append(track)
        else:
            self.live.append(self._join(track, span, key, begun, find))

    # -- between keyframes ---------------------------------------------------------------------

    def _join(
        self, track: _Track, span: Span, key: int, old: _End, find: _Find | None = None
    ) -> _Track:
        """Fill the span between a track's last end and its new one; the track that lives on.

        Where the two ends' propagations part on the way, that is a new track.
        """
        new = _End(track.anchor, track.quality)
        filled = list(self._walk(span, old, new))
        if min(confidence for _, _, confidence in filled) >= BREAK:
            for index, mask, confidence in filled:
                track.put(key - span.length + 1 + index, mask, confidence)
            return track
        self._trail(track, span, key, old, None)
        self.ended.append(track)
        successor = _Track(track.label, track.score, track.anchor, track.quality)
        if find is not None:
            successor.see(find.label, find.score)
        self._trail(successor, span, key, None, new)
        return successor

    def _trail(
        self, track: _Track, span: Span, key: int, first: _End | None, last: _End | None
    ) -> None:
        """Follow a track from its only end in the span that ends at `key` until it is lost."""
        for index, mask, confidence in self._walk(span, first, last):
            if confidence < self.tracker.min_confidence:
                return
            track.put(key - span.length + 1 + index, mask, confidence)

    def _walk(
        self, span: Span, first: _End | None, last: _End | None
    ) -> Iterator[tuple[int, Mask, float]]:
        """(index, mask, confidence) over a span from the ends that are known, outwards from one.

        A mask that became too small, or grew too much, has confidence 0.
        """
        indices = range(span.length)
        for index in indices if first is not None else reversed(indices):
            ahead = None if first is None else span.from_first(first.mask, index)
            back = None if last is None else span.from_last(last.mask, index)
            if first is not None and last is not None:
                assert ahead is not None and back is not None
                share = index / (span.length - 1)
                soft = span.fuse(index, ahead, back)
                agreement = iou(ahead[0] >= 0.5, back[0] >= 0.5)
                # At an end its own mask counts alone; half-way both must agree.
                doubt = (1 - agreement) * min(share, 1 - share)
                quality = ((1 - share) * first.quality + share * last.quality) * (1 - doubt)
                trust = np.maximum(ahead[1], back[1])
                area = max(first.mask.sum(), last.mask.sum())
            else:
                one, end = (ahead, first) if first is not None else (back, last)
                assert one is not None and end is not None
                soft, trust, quality, area = one[0], one[1], end.quality, end.mask.sum()
            # What cannot be vouched for lowers the confidence, then goes, unless ends meet there.
            confidence = float(quality * _trust(soft, trust))
            if ahead is None or back is None:
                soft = _vouched(soft, trust)
            mask = clean(soft >= 0.5)
            sane = self.least <= mask.sum() <= GROWTH * area
            yield index, mask, confidence if sane else 0.0

    # -- the end -------------------------------------------------------------------------------

    def _results(self) -> list[TrackedObject]:
        frames = len(self.frames)
        ranked: list[tuple[float, _Track, int, int]] = []
        for track in self.ended:
            good = [t for t, c in track.confidence.items() if c >= self.tracker.min_confidence]
            if len(good) < min(MIN_FRAMES, frames):
                continue
            area = float(np.mean([track.masks[t].sum() for t in good]))
            ranked.append((track.score * area * len(good), track, min(good), max(good)))
        ranked.sort(key=lambda entry: (-entry[0], entry[2]))
        return [
            self._result(track, first, last)
            for _, track, first, last in ranked[: self.tracker.max_objects]
        ]

    def _result(self, track: _Track, first: int, last: int) -> TrackedObject:
        frames, height, width = self.frames.shape[:3]
        masks = np.zeros((frames, height, width), bool)
        confidence = np.zeros(frames, np.float32)
        boxes = np.zeros((frames, 4), np.float32)
        for t, mask in track.masks.items():
            if first <= t <= last:
                masks[t] = self._resized(mask, height, width)
                confidence[t] = track.confidence[t]
                box = box_of(masks[t])
                if box is not None:
                    boxes[t] = box
        label = named(track.label, track.score)
        return TrackedObject(label, track.score, masks, confidence, first, last, boxes)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _likeness(a: str, b: str) -> float:
    if a == b:
        return 1.0
    return OTHER_LABEL if any({a, b} <= group for group in ALIKE) else 0.0


def _meeting(span: Span, first: Mask, last: Mask) -> float:
    """Best IoU of two ends' masks carried towards each other: at the first frame or half-way."""
    half = span.length // 2
    return max(
        iou(
            _vouched(*span.from_first(first, index)) >= 0.5,
            _vouched(*span.from_last(last, index)) >= 0.5,
        )
        for index in (0, half)
    )


def _vouched(soft: Soft, trust: Soft) -> Soft:
    """A carried mask, kept only near what of it could be followed.

    Where an object has left the frame its mask would stick to the border. The thin rim of doubt
    every mask has, where object and background part, stays.
    """
    sure = dilate(dilate((soft >= 0.5) & (trust >= 0.5), -1), 1 + RIM)
    return np.where(sure, soft, np.float32(0))


def _trust(soft: Soft, trust: Soft) -> float:
    """Mean trust inside a carried mask, 0–1."""
    total = float(soft.sum())
    return float((soft * trust).sum()) / total if total else 0.0


def _assign(tracks: list[_Track], arrived: list[Mask], found: list[_Find]) -> dict[int, _Find]:
    """Detections that continue tracks, by track number: pairs of most overlap first."""
    pairs: list[tuple[float, int, int]] = []
    for i, (track, mask) in enumerate(zip(tracks, arrived, strict=True)):
        box = box_of(mask)
        for j, find in enumerate(found):
            likeness = _likeness(track.label, find.label)
            overlap = 0.0 if box is None else likeness * box_iou(box, find.box)
            if overlap >= SAME_OBJECT:
                pairs.append((overlap, i, j))
    matches: dict[int, _Find] = {}
    taken: set[int] = set()
    for _, i, j in sorted(pairs, key=lambda pair: (-pair[0], *pair[1:])):
        if i not in matches and j not in taken:
            matches[i] = found[j]
            taken.add(j)
    return matches
