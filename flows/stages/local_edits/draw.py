"""Annotated clips in, clips with drafts of local-editing records out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from catalog.keys import digest
from catalog.records import LocalEdit, from_row, to_row
from experts.local_edits.draw import VERSION, DraftedClip, draw
from flows.runtime.context import Context
from flows.runtime.results import journal
from flows.stages.local_edits.mask_index import BorrowingClip, with_lent
from flows.stages.recorded import recorded

STAGE = "draw"


def run_borrowing(ctx: Context, shard: Sequence[BorrowingClip]) -> list[DraftedClip]:
    """The shard's clips with their drafts, all clips that they refer to read from the journal."""
    referred = recorded(ctx, (each for clip in shard for each in clip.references))
    clips = {each.clip.clip_id: each for each in referred}
    return run(ctx, [with_lent(each, clips) for each in shard])


def run(ctx: Context, shard: Sequence[DraftedClip]) -> list[DraftedClip]:
    """The shard's clips with their drafts."""
    rules, seed = ctx.recipe.records, ctx.recipe.seed
    assert rules is not None
    documents = journal.run(
        ctx,
        STAGE,
        shard,
        key=lambda drafted: digest(
            VERSION,
            seed,
            rules.model_dump(),
            drafted.clip.clip_id,
            [track.track_id for track in drafted.tracks],
            list(drafted.donors),
            sorted(drafted.drawable),
        ),
        page=lambda drafted: drafted.clip.clip_id,
        work=lambda batch: [
            {"drafts": [to_row(draft) for draft in draw(drafted, rules, seed)]} for drafted in batch
        ],
        name=lambda drafted: drafted.clip.clip_id,
    )
    return [
        dataclasses.replace(
            drafted, drafts=[from_row(LocalEdit, row) for row in document["drafts"]]
        )
        for drafted, document in documents
    ]
