"""Clips in, clips with a caption and their objects' mask tracks out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from catalog.keys import digest
from catalog.media import read_video
from catalog.records import Clip, Track, from_row, to_row
from experts.annotate.clip import AnnotatedClip, annotate, tracker_for
from experts.annotate.tracking.tracker import Tracker
from experts.base import Frames
from experts.memory import using
from flows.runtime.context import Context
from flows.runtime.prefetch import Prefetcher
from flows.runtime.results import journal
from flows.runtime.results.journal import Document
from flows.stages.clips import caption

STAGE = "annotate"
VERSION = "4"
"""Rises whenever the same tracks may give another caption or camera path."""

CAPTION_BY = "labels"
"""Who writes a caption that the recipe's captioner left out: it names the tracked objects."""


def run(ctx: Context, shard: Sequence[Clip]) -> list[AnnotatedClip]:
    """The shard's clips, captioned, each with its tracks."""
    recipe = ctx.recipe
    tracker = tracker_for(recipe.models, recipe.annotate, recipe.run.threads, recipe.run.workers)
    reader: Prefetcher[Clip, Frames] = Prefetcher(
        lambda clip: read_video(ctx.catalog.media.path(clip.video))
    )
    with reader as decoded:
        documents = journal.run(
            ctx,
            STAGE,
            caption.run(ctx, shard),
            key=lambda clip: digest(
                (VERSION, clip.clip_id, clip.video),
                (recipe.annotate.model_dump(), tracker.version),
                clip.labels,
                recipe.records is not None,
                *([clip.phrases] if clip.phrases else ()),
            ),
            page=lambda clip: clip.clip_id,
            work=lambda batch: [
                _document(ctx, clip, decoded.take(clip), tracker) for clip in batch
            ],
            name=lambda clip: clip.clip_id,
            prefetch=decoded.start,
        )
        annotated = [_annotated(clip, document) for clip, document in documents]
    ctx.catalog.tables.put("clips", {a.clip.clip_id: [a.clip] for a in annotated})
    ctx.catalog.tables.put("tracks", {a.clip.clip_id: a.tracks for a in annotated})
    return annotated


def _annotated(clip: Clip, document: Document) -> AnnotatedClip:
    found = dataclasses.replace(clip, camera=document["camera"])
    if not clip.caption:
        by = CAPTION_BY if document["caption"] else ""
        found = dataclasses.replace(found, caption=document["caption"], caption_by=by)
    return AnnotatedClip(found, [from_row(Track, row) for row in document["tracks"]])


def _document(ctx: Context, clip: Clip, frames: Frames, tracker: Tracker) -> Document:
    with using(tracker):
        found = annotate(
            clip,
            frames,
            ctx.catalog.media,
            tracker,
            ctx.recipe.annotate,
            keep_all=ctx.recipe.records is not None,
            check_stop=ctx.check_stop,
        )
    return {
        "tracks": [to_row(track) for track in found.tracks],
        "caption": found.caption,
        "camera": found.camera,
    }
