"""A clip annotated: its objects' mask tracks, a caption and the camera's path."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from catalog import media
from catalog.keys import digest
from catalog.media.image import Transparent
from catalog.records import Clip, Track
from catalog.storage.media import MediaStore
from experts.annotate.captions.labels import (
    caption,
    is_the_subject,
    surely_named,
    tells_the_scene,
)
from experts.annotate.captions.subject import relative_focus, unfollowed_share
from experts.annotate.detection.kinds import alike, counted
from experts.annotate.frame_stream import Frame, FrameStream
from experts.annotate.motion.camera import camera_path
from experts.annotate.motion.foreground import Foreground
from experts.annotate.preview import Preview
from experts.annotate.rules import Annotate
from experts.annotate.tracking.completed import completed
from experts.annotate.tracking.segment import Segmenter
from experts.annotate.tracking.tracker import TrackedObject, Tracker
from experts.instances import shared
from experts.masks.geometry import Box
from experts.masks.packed import MaskTrack, Union
from experts.providers import chosen
from experts.providers.models import Models

MASK_OF_BOX = 0.5
"""Share of its box that an object covers, more or less."""


@dataclass(frozen=True, slots=True)
class AnnotatedClip:
    """A clip with its tracks."""

    clip: Clip
    tracks: list[Track]

    @property
    def named(self) -> list[Track]:
        """The tracks with a label that the clip's footage may have (`Clip.labels`). The others are
        kept as well: a mask must not be pasted on an object because its label is not wanted."""
        labels = self.clip.labels
        return [t for t in self.tracks if not labels or t.label in labels]


@dataclass(frozen=True, slots=True)
class Annotation:
    """What was found in a clip. `camera` holds the background's x and y, px, per frame."""

    tracks: list[Track]
    caption: str
    camera: list[float]


def tracker_for(models: Models, rules: Annotate, threads: int, workers: int) -> Tracker:
    """This process's tracker by the recipe's models and rules, not loaded unless it was before.

    Each of `workers` threads calls models with `threads` threads of their own.
    """
    detector = chosen(models.detect, threshold=rules.score_threshold, threads=threads)
    # Encodes take turns, which bounds memory, so each may use what all workers have.
    segmenter = shared(Segmenter, threads=workers * threads)
    tracker: Tracker = chosen(
        models.track, detector=detector, segmenter=segmenter, max_objects=rules.max_objects
    )
    return tracker


def annotate(
    clip: Clip,
    frames: Iterable[Frame],
    store: MediaStore,
    tracker: Tracker,
    rules: Annotate,
    keep_all: bool = False,
    background: Transparent | None = None,
    check_stop: Callable[[], None] = lambda: None,
) -> Annotation:
    """The annotation of a clip from its `frames` [H, W, 3], which are read once, as far as they are
    needed at a time; masks are written to `store`.

    Tracks of labels outside `clip.labels` are left out unless `keep_all`; those that might be taken
    for a kept one, a doubtful truck for a car, are among its rivals. `background` [H, W, 4] is what
    `clip.background` shows: it tells which objects it uncovers, and completes their masks.
    `check_stop` is called between objects and keyframes and may raise. Raises BadInput where there
    are fewer frames than the clip's.
    """
    interval = max(1, round(rules.keyframe_seconds * clip.fps))
    preview = Preview(clip.frames, clip.height, clip.width)
    foreground = Foreground(background) if background is not None else None
    passing = preview.watch(foreground.watch(frames) if foreground else frames)
    stream = FrameStream(passing, (clip.frames, clip.height, clip.width, 3))
    seen = list(tracker.track(stream, interval, check_stop, clip.phrases))
    stream.finish()
    labels = clip.labels
    wanted = {found.label for found in seen if keep_all or not labels or found.label in labels}
    kept = [found for found in seen if found.label in wanted]
    left_out = [found for found in seen if found.label not in wanted]
    tracks = []
    for i, found in enumerate(kept):
        check_stop()
        uncovered = foreground is not None and foreground.uncovers(found.masks)
        if foreground is not None and uncovered:
            others = [other for other in seen if other is not found]
            found = kept[i] = completed(found, others, foreground)
        with store.writing(".mkv") as out:
            media.write_masks(out.path, found.masks, clip.fps)
        rivals = (*found.rivals, *_like(found, left_out, interval))
        row = _row(clip, i, dataclasses.replace(found, rivals=rivals), out.ref)
        tracks.append(dataclasses.replace(row, uncovered=uncovered))
    moving = Union([found.masks for found in kept]) if kept else None
    path = camera_path(preview.frames, moving, preview.size)
    camera = [round(float(v), 2) for v in path.ravel()]
    return Annotation(tracks, describe(seen, preview, labels or None), camera)


def describe(
    seen: Sequence[TrackedObject], preview: Preview, labels: Sequence[str] | None = None
) -> str:
    """The caption of the clip that `preview` is of, from all objects tracked in it; `labels` is its
    footage's vocabulary. Empty where it would leave out what fills the picture."""
    shares = [_share(found.masks) for found in seen]
    sure = [
        surely_named(found.label, found.score, found.mean_score, share, labels)
        for found, share in zip(seen, shares, strict=True)
    ]
    objects = [found for found, known in zip(seen, sure, strict=True) if known]
    # Only what is there for most of the clip is worth naming.
    lasting = [f for f in objects if 2 * (f.last - f.first + 1) > len(preview.frames)]
    if not lasting:
        return ""
    named = Union([found.masks for found in lasting])
    named_share = sum(np.count_nonzero(mask) for mask in named) / named.pixels
    unnamed = [share for share, known in zip(shares, sure, strict=True) if not known]
    unnamed += [_largest_rival(found) for found in objects]
    if not tells_the_scene(named_share, max(unnamed, default=0.0)):
        return ""
    beside = unfollowed_share(preview.frames, Union([found.masks for found in seen]))
    focus = relative_focus(preview.sharp, [named[t] for t in preview.looks])
    if not is_the_subject(named_share, beside, focus):
        return ""
    counts = counted(Counter(found.label for found in lasting))
    ever = counted(Counter(found.label for found in objects))
    more = {label for label, count in counts.items() if ever.get(label, 0) > count}
    more |= {f.label for f in objects if _has_rivals(f)}
    doubtful = [found.label for found, known in zip(seen, sure, strict=True) if not known]
    more |= {label for label in counts if any(alike(label, other) for other in doubtful)}
    return caption(counts, more)


def _largest_rival(found: TrackedObject) -> float:
    """The share of the picture of the largest thing that might be one of the kind and that no track
    follows; of its box, which it fills by half or so."""
    height, width = found.masks.shape[1:]
    areas = [(x1 - x0) * (y1 - y0) for _, (x0, y0, x1, y1) in found.rivals]
    return MASK_OF_BOX * max(areas, default=0.0) / (height * width)


def _has_rivals(found: TrackedObject) -> bool:
    """Whether there are more of the kind than tracks: one sighting may be a part of something."""
    return len({frame for frame, _ in found.rivals}) > 1


def _like(
    found: TrackedObject, others: Sequence[TrackedObject], interval: int
) -> Iterator[tuple[int, Box]]:
    """Every `interval` frames the boxes of those of `others` that might be taken for `found`."""
    for other in others:
        if alike(other.label, found.label):
            for frame in range(0, len(other.boxes), interval):
                x0, y0, x1, y1 = map(float, other.boxes[frame])
                if x1 > x0:
                    yield frame, (x0, y0, x1, y1)


def _row(clip: Clip, index: int, found: TrackedObject, masks: str) -> Track:
    alive = found.masks[found.first : found.last + 1]
    return Track(
        track_id=digest("track", clip.clip_id, index, masks),
        clip_id=clip.clip_id,
        label=found.label,
        score=float(found.score),
        masks=masks,
        first_frame=int(found.first),
        last_frame=int(found.last),
        confidence=[round(float(c), 4) for c in found.confidence],
        area=_share(alive),
        boxes=[round(float(v), 2) for v in np.asarray(found.boxes).reshape(-1)],
        mean_score=None if found.mean_score is None else float(found.mean_score),
        rivals=[round(float(v), 2) for frame, box in found.rivals for v in (frame, *box)],
    )


def _share(masks: MaskTrack) -> float:
    """Of all pixels that are set."""
    return sum(masks.areas) / math.prod(masks.shape)
