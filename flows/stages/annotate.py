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
from experts.write.captions import caption
from flows import journal
from flows.context import Context
from flows.journal import Document
from flows.worker import ready, shared

STAGE = "annotate"
CAPTION_BY = "labels"
"""The embedded recipe has no captioner: a caption names the objects that were tracked."""


@dataclass(frozen=True, slots=True)
class AnnotatedClip:
    """A clip with its tracks."""

    clip: Clip
    tracks: list[Track]


def run(ctx: Context, shard: Sequence[Clip]) -> list[AnnotatedClip]:
    """The shard's clips, captioned, each with its tracks."""
    tracker = tracker_for(ctx)
    documents = journal.run(
        ctx,
        STAGE,
        shard,
        key=lambda clip: digest(
            clip.clip_id, clip.video, ctx.recipe.annotate.model_dump(), tracker.version
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
            caption_by=CAPTION_BY,
            camera=document["camera"],
        )
        annotated.append(AnnotatedClip(captioned, tracks))
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
    vocabulary = ctx.recipe.annotate.labels
    objects = [
        found
        for found in tracker.track(frames, interval)
        if vocabulary is None or found.label in vocabulary
    ]
    tracks = []
    for i, found in enumerate(objects):
        ctx.check_stop()
        with ctx.catalog.media.writing(".mkv") as out:
            media.write_masks(out.path, found.masks, clip.fps)
        tracks.append(_row(clip, i, found, out.ref))
    # Only what is there for most of the clip is worth naming.
    lasting = [f for f in objects if 2 * (f.last - f.first + 1) > len(frames)]
    counts = Counter(found.label for found in lasting)
    moving = np.logical_or.reduce([found.masks for found in objects]) if objects else None
    camera = camera_path(frames, moving)
    return {
        "tracks": [to_row(track) for track in tracks],
        "caption": caption(counted(counts)),
        "camera": [round(float(v), 2) for v in camera.ravel()],
    }


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
