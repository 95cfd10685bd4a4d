"""Clips in, clips with a caption and their objects' mask tracks out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from catalog.errors import EditmillError
from catalog.keys import digest
from catalog.media import iter_frames
from catalog.media.image import Transparent, read_transparent
from catalog.records import Clip, Track, from_row, to_row
from experts.annotate.clip import AnnotatedClip, annotate, tracker_for
from experts.annotate.frame_stream import Frame
from experts.annotate.tracking.tracker import Tracker
from experts.memory import using
from flows.runtime.context import Context
from flows.runtime.prefetch import Prefetcher
from flows.runtime.results import journal
from flows.runtime.results.journal import Document
from flows.stages.clips import caption

STAGE = "annotate"
VERSION = "6"
"""Rises whenever the same tracks may give another caption or camera path."""

CAPTION_BY = "labels"
"""Who writes a caption that the recipe's captioner left out: it names the tracked objects."""


def run(ctx: Context, shard: Sequence[Clip]) -> list[AnnotatedClip]:
    """The shard's clips, captioned, each with its tracks."""
    tracker = _tracker(ctx)
    reader = Prefetcher[Clip, Iterator[Frame]](
        lambda clip: _begun(ctx.catalog.media.path(clip.video))
    )
    with reader as decoded:
        documents = journal.run(
            ctx,
            STAGE,
            caption.run(ctx, shard),
            key=lambda clip: key(ctx, clip),
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


def _begun(path: Path) -> Iterator[Frame]:
    """A video's frames, of which the first are decoded while others are annotated."""
    frames = iter_frames(path)
    return chain([next(frames)], frames)


def again(ctx: Context, clip: Clip) -> AnnotatedClip:
    """A clip that has been through :func:`run`, from the journal: what that costs does not grow
    with the build, as looking for its rows in the tables would. Its camera's path may be missing.
    """
    document = ctx.catalog.products.page(STAGE, clip.clip_id).get(key(ctx, clip))
    if document is None:
        raise EditmillError(
            f"{ctx.uri}: what was found in clip {clip.clip_id} is gone from the journal; run again"
        )
    return _annotated(clip, document)


def key(ctx: Context, clip: Clip) -> str:
    """Where the journal has what is found in the clip; all that it depends on."""
    recipe = ctx.recipe
    return digest(
        (VERSION, clip.clip_id, clip.video),
        (recipe.annotate.model_dump(), _tracker(ctx).version),
        clip.labels,
        recipe.records is not None,
        *([clip.phrases] if clip.phrases else ()),
        *([clip.background] if clip.background else ()),
    )


def _tracker(ctx: Context) -> Tracker:
    recipe = ctx.recipe
    return tracker_for(recipe.models, recipe.annotate, recipe.run.threads, recipe.run.workers)


def _annotated(clip: Clip, document: Document) -> AnnotatedClip:
    found = dataclasses.replace(clip, camera=document["camera"])
    if not clip.caption:
        by = CAPTION_BY if document["caption"] else ""
        found = dataclasses.replace(found, caption=document["caption"], caption_by=by)
    return AnnotatedClip(found, [from_row(Track, row) for row in document["tracks"]])


def _background(ctx: Context, clip: Clip) -> Transparent | None:
    return read_transparent(ctx.catalog.path(clip.background)) if clip.background else None


def _document(ctx: Context, clip: Clip, frames: Iterator[Frame], tracker: Tracker) -> Document:
    with using(tracker):
        found = annotate(
            clip,
            frames,
            ctx.catalog.media,
            tracker,
            ctx.recipe.annotate,
            keep_all=ctx.recipe.records is not None,
            background=_background(ctx, clip),
            check_stop=ctx.check_stop,
        )
    return {
        "tracks": [to_row(track) for track in found.tracks],
        "caption": found.caption,
        "camera": found.camera,
    }
