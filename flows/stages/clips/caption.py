"""Clips in, clips with words out, where the recipe's captioner looks at frames.

The embedded one looks at none: its caption is written from the tracks, by the stage after this.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from catalog.errors import BadInput
from catalog.keys import digest
from catalog.media import sample_frames
from catalog.records import Clip
from experts.annotate.captions.description import Captioner, Description
from experts.memory import using
from experts.providers import chosen
from flows.runtime.context import Context
from flows.runtime.results import journal
from flows.runtime.results.journal import Document

STAGE = "caption"
BATCH = 16
"""Clips asked about at once: a server batches them, and a kill loses no more."""


def run(ctx: Context, shard: Sequence[Clip]) -> list[Clip]:
    """The shard's clips with their captions and object phrases; one that cannot be described has a
    row in `failures` and goes no further."""
    captioner: Captioner = chosen(ctx.recipe.models.captions)
    if not captioner.frames:
        return list(shard)
    ctx.stats.expect(STAGE, len(shard))
    documents = journal.run(
        ctx,
        STAGE,
        shard,
        key=lambda clip: digest(clip.clip_id, clip.video, captioner.version),
        page=lambda clip: clip.clip_id,
        work=lambda batch: _documents(ctx, batch, captioner),
        name=lambda clip: clip.clip_id,
        batch=BATCH,
    )
    return [
        dataclasses.replace(
            clip,
            caption=document["short"],
            caption_by=captioner.name if document["short"] else "",
            detailed_caption=document["detailed"],
            phrases=document["phrases"],
        )
        for clip, document in documents
    ]


def _documents(
    ctx: Context, batch: Sequence[Clip], captioner: Captioner
) -> list[Document | BadInput]:
    path = ctx.catalog.media.path
    frames = [sample_frames(path(clip.video), captioner.frames) for clip in batch]
    with using(captioner):
        return [_document(each) for each in captioner.describe(frames)]


def _document(described: Description | BadInput) -> Document | BadInput:
    if isinstance(described, BadInput):
        return described
    return {
        "short": described.short,
        "detailed": described.detailed,
        "phrases": list(described.phrases),
    }
