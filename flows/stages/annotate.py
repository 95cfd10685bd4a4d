"""Clips in, clips with a caption and their objects' mask tracks out."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from catalog import media
from catalog.keys import digest
from catalog.records import Clip, Track, from_row, to_row
from experts.annotate.camera import camera_path
from experts.annotate.detect import Detector
from experts.annotate.kinds import counted
from experts.annotate.segment import Segmenter
from experts.annotate.track import TrackedObject, Tracker
from experts.write.captions.clip import caption, surely_named, tells_the_scene
from flows.runtime import journal
from flows.runtime.context import Context
from flows.runtime.journal import Document
from flows.runtime.worker import ready, shared
from flows.sources.vocabulary import labels_of

STAGE = "annotate"
VERSION = "3"
"""Rises whenever the same tracks may give another caption or camera path."""

CAPTION_BY = "labels"
"""The embedded recipe has no captioner: a caption names the objects that were tracked."""


@dataclass(frozen=True, slots=True)
class AnnotatedClip:
    """A clip with its tracks."""

    clip: Clip
    tracks: list[Track]
    labels: Sequence[str] | None = None  # the vocabulary of its footage; None: all

    @property
    def named(self) -> list[Track]:
        """Those whose label is in the vocabulary. Of what is drawn from, all tracks are kept: what
        may not be named must still be known, so that no mask is pasted on it."""
        return [t for t in self.tracks if self.labels is None or t.label in self.labels]


def run(ctx: Context, shard: Sequence[Clip]) -> list[AnnotatedClip]:
    """The shard's clips, captioned, each with its tracks."""
    tracker = tracker_for(ctx)
    documents = journal.run(
        ctx,
        STAGE,
        shard,
        key=lambda clip: digest(
            (VERSION, clip.clip_id, clip.video),
            (ctx.recipe.annotate.model_dump(), tracker.version),
            labels_of(ctx.recipe, clip.uri),
            ctx.recipe.records is not None,
        ),
        work=lambda batch: [_annotate(ctx, clip, ready(tracker)) for clip in batch],
        name=lambda clip: clip.clip_id,
    )
    annotated = []
    for clip, document in documents:
        tracks = [from_row(Track, row) for row in document["tracks"]]
        captioned = dataclasses.replace(
            clip,
            caption=document["caption"],
            caption_by=CAPTION_BY if document["caption"] else "",
            camera=document["camera"],
        )
        annotated.append(AnnotatedClip(captioned, tracks, labels_of(ctx.recipe, clip.uri)))
    ctx.catalog.tables.merge("clips", [a.clip for a in annotated])
    ctx.catalog.tables.merge("tracks", [track for a in annotated for track in a.tracks])
    return annotated


def tracker_for(ctx: Context) -> Tracker:
    """This process's tracker by the recipe, perhaps not yet loaded."""
    rules = ctx.recipe.annotate
    detector = shared(Detector, threshold=rules.score_threshold, threads=ctx.recipe.run.threads)
    # Its encodes take turns, for memory's sake, so each may use what all workers have.
    segmenter = shared(Segmenter, threads=ctx.recipe.run.workers * ctx.recipe.run.threads)
    return Tracker(
        detector,
        segmenter,
        max_objects=rules.max_objects,
    )


def _annotate(ctx: Context, clip: Clip, tracker: Tracker) -> Document:
    frames = media.read_video(ctx.catalog.path(clip.video))
    interval = max(1, round(ctx.recipe.annotate.keyframe_seconds * clip.fps))
    labels = labels_of(ctx.recipe, clip.uri)
    seen = list(tracker.track(frames, interval, ctx.check_stop))
    all_kept = labels is None or ctx.recipe.records is not None
    objects = [found for found in seen if all_kept or found.label in (labels or ())]
    tracks = []
    for i, found in enumerate(objects):
        ctx.check_stop()
        with ctx.catalog.media.writing(".mkv") as out:
            media.write_masks(out.path, found.masks, clip.fps)
        tracks.append(_row(clip, i, found, out.ref))
    moving = np.logical_or.reduce([found.masks for found in objects]) if objects else None
    camera = camera_path(frames, moving)
    return {
        "tracks": [to_row(track) for track in tracks],
        "caption": describe(seen, len(frames), labels),
        "camera": [round(float(v), 2) for v in camera.ravel()],
    }


def describe(
    seen: Sequence[TrackedObject], frames: int, labels: Sequence[str] | None = None
) -> str:
    """The caption of a clip of so many frames out of all that was tracked in it; `labels` is its
    footage's vocabulary. Empty where it would not say what fills the picture."""
    shares = [float(found.masks.mean()) for found in seen]
    sure = [
        surely_named(found.label, found.score, share, labels)
        for found, share in zip(seen, shares, strict=True)
    ]
    objects = [found for found, known in zip(seen, sure, strict=True) if known]
    # Only what is there for most of the clip is worth naming.
    lasting = [f for f in objects if 2 * (f.last - f.first + 1) > frames]
    if not lasting:
        return ""
    named = float(np.logical_or.reduce([found.masks for found in lasting]).mean())
    unnamed = max(
        (share for share, known in zip(shares, sure, strict=True) if not known), default=0
    )
    if not tells_the_scene(named, unnamed):
        return ""
    counts = counted(Counter(found.label for found in lasting))
    ever = counted(Counter(found.label for found in objects))
    more = {label for label, count in counts.items() if ever.get(label, 0) > count}
    return caption(counts, more)


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
        area=float(alive.mean()),
        boxes=[round(float(v), 2) for v in np.asarray(found.boxes).reshape(-1)],
    )
