"""Annotated clips in, candidates out: the bank of objects that swaps take their donors from.

Appearances in a few frames per clip are enough, so this costs about a second a clip.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from catalog import media
from catalog.keys import digest
from experts.annotate.clip import AnnotatedClip
from experts.edit.swap.appearance import STRIDE, VERSION, Appearance, appearance_of
from experts.plan.donors import Candidate
from flows.runtime.context import Context
from flows.runtime.results import journal
from flows.runtime.results.journal import Document

STAGE = "bank"


def run(ctx: Context, shard: Sequence[AnnotatedClip]) -> list[Candidate]:
    """Every object of the shard's clips, with its appearances."""
    documents = journal.run(
        ctx,
        STAGE,
        shard,
        key=lambda a: digest(VERSION, STRIDE, a.clip.video, [(t.masks, t.label) for t in a.tracks]),
        page=lambda a: a.clip.clip_id,
        work=lambda batch: [_appearances(ctx, annotated) for annotated in batch],
        name=lambda annotated: annotated.clip.clip_id,
    )
    return [
        Candidate(
            annotated.clip,
            track,
            tuple(annotated.tracks),
            tuple(Appearance(**row) for row in rows),
        )
        for annotated, document in documents
        for track, rows in zip(annotated.tracks, document["appearances"], strict=True)
    ]


def _appearances(ctx: Context, annotated: AnnotatedClip) -> Document:
    """Per track its appearances, in every STRIDE-th frame in which it is alive."""
    path = ctx.catalog.path
    frames = media.read_video(path(annotated.clip.video), stride=STRIDE)
    masks = [media.read_masks(path(t.masks))[::STRIDE] for t in annotated.tracks]
    found: list[list[dict[str, object]]] = []
    for track, own in zip(annotated.tracks, masks, strict=True):
        rows = []
        for k, frame in enumerate(frames):
            if not own[k].any():
                continue
            others = [m[k] for m in masks if m is not own]
            one = appearance_of(frame, own[k], others, k * STRIDE, track.label)
            rows += [dataclasses.asdict(one)] if one is not None else []
        found.append(rows)
    return {"appearances": found}
