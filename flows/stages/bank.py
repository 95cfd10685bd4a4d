"""Annotated clips in, their objects' looks out: the bank that a swap takes its donors from.

A few frames per clip are enough, so this costs about a second a clip.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from catalog import media
from catalog.keys import digest
from experts.annotate.clip import AnnotatedClip
from experts.edit.swap import object_bank
from experts.edit.swap.object_bank import STRIDE, Look
from experts.plan.donors import Exhibit
from flows.runtime import journal
from flows.runtime.context import Context
from flows.runtime.journal import Document

STAGE = "bank"


def run(ctx: Context, shard: Sequence[AnnotatedClip]) -> list[Exhibit]:
    """Every object of the shard's clips, with what it looks like."""
    documents = journal.run(
        ctx,
        STAGE,
        shard,
        key=lambda a: digest(
            object_bank.VERSION, STRIDE, a.clip.video, [(t.masks, t.label) for t in a.tracks]
        ),
        work=lambda batch: [_look(ctx, annotated) for annotated in batch],
        name=lambda annotated: annotated.clip.clip_id,
    )
    return [
        Exhibit(annotated.clip, track, tuple(annotated.tracks), tuple(Look(**row) for row in rows))
        for annotated, document in documents
        for track, rows in zip(annotated.tracks, document["looks"], strict=True)
    ]


def _look(ctx: Context, annotated: AnnotatedClip) -> Document:
    """Per track its looks, at every STRIDE-th frame in which it is alive."""
    path = ctx.catalog.path
    frames = media.read_video(path(annotated.clip.video), stride=STRIDE)
    masks = [media.read_masks(path(t.masks))[::STRIDE] for t in annotated.tracks]
    looks: list[list[dict[str, object]]] = []
    for track, own in zip(annotated.tracks, masks, strict=True):
        rows = []
        for k, frame in enumerate(frames):
            if not own[k].any():
                continue
            others = [m[k] for m in masks if m is not own]
            found = object_bank.look(frame, own[k], others, k * STRIDE, track.label)
            rows += [dataclasses.asdict(found)] if found is not None else []
        looks.append(rows)
    return {"looks": looks}
