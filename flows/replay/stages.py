"""How each stage is run again: from the catalog's rows, through the stages between.

The stages between find all that they made in the journal, and compute nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import polars as pl

from catalog.errors import EditmillError
from catalog.records import Plan, from_row
from experts.local_edits.draw import DraftedClip
from experts.plan.bank import Bank
from flows.replay.inputs import annotated_clips
from flows.replay.target import Target
from flows.runtime.context import Context
from flows.stages import bank, edit, ideas, instruct, plan
from flows.stages.clips import annotate, caption
from flows.stages.judging import best, judge, vlm
from flows.stages.local_edits import draw, local_edit
from flows.stages.local_edits.mask_index import lend
from flows.stages.plan import SWAPS, PlannedClip


def run_annotate(ctx: Context, what: Target) -> None:
    """`annotate` and the `caption` within it."""
    cut = [
        dataclasses.replace(
            annotated.clip, caption="", caption_by="", detailed_caption="", phrases=[], camera=[]
        )
        for annotated in annotated_clips(ctx.catalog, what.clips)
    ]
    annotate.run(ctx, cut)


def run_bank(ctx: Context, what: Target) -> None:
    bank.run(ctx, annotated_clips(ctx.catalog, what.clips))


def run_plan(ctx: Context, what: Target) -> None:
    """`plan` and the `ideas` within it; swaps take their donors from all clips, as in a build."""
    recipe = ctx.recipe
    shard = annotated_clips(ctx.catalog, what.clips)
    plan.run(ctx, shard)
    if plan.has_swaps(recipe):
        clips = annotated_clips(ctx.catalog) if plan.needs_donors(recipe) else []
        kept = {each.clip.clip_id for each in bank.run(ctx, clips)}
        donors = bank.candidates(ctx, [each for each in clips if each.clip.clip_id in kept])
        plan.run_swaps(ctx, shard, Bank(donors))


def run_edit(ctx: Context, what: Target) -> None:
    for shard in _planned(ctx, what):
        edit.run(ctx, shard)


def run_instruct(ctx: Context, what: Target) -> None:
    for shard in _planned(ctx, what):
        instruct.run(ctx, edit.run(ctx, shard))


def run_judge(ctx: Context, what: Target) -> None:
    """`judge`, and `vlm` and `best` within it."""
    for shard in _planned(ctx, what):
        judge.run(ctx, instruct.run(ctx, edit.run(ctx, shard)))


def run_draw(ctx: Context, what: Target) -> None:
    draw.run(ctx, _with_donors(ctx, what))


def run_local_edit(ctx: Context, what: Target) -> None:
    drafted = draw.run(ctx, _with_donors(ctx, what))
    if what.record:
        drafted = [
            dataclasses.replace(each, drafts=[d for d in each.drafts if d.edit_id == what.record])
            for each in drafted
        ]
    local_edit.run(ctx, drafted)


STAGES: Mapping[str, Callable[[Context, Target], None]] = {
    annotate.STAGE: run_annotate,
    caption.STAGE: run_annotate,
    bank.STAGE: run_bank,
    ideas.STAGE: run_plan,
    plan.STAGE: run_plan,
    edit.STAGE: run_edit,
    instruct.STAGE: run_instruct,
    judge.STAGE: run_judge,
    vlm.STAGE: run_judge,
    best.STAGE: run_judge,
    draw.STAGE: run_draw,
    local_edit.STAGE: run_local_edit,
}
"""Those that can be run again, by name. `fetch`, `look` and `ingest` read footage from outside the
catalog, which need not be there any more."""


def _planned(ctx: Context, what: Target) -> list[list[PlannedClip]]:
    """The clips with their recorded plans: all but swaps, and swaps, which a build runs apart."""
    asked = pl.col("clip_id").is_in(list(what.clips))
    if what.record:
        asked = pl.col("plan_id") == what.record
    rows = ctx.catalog.table("plans").filter(asked).collect().iter_rows(named=True)
    plans = [from_row(Plan, row) for row in rows]
    shards = []
    for suffix in ("", SWAPS):
        shard = []
        for annotated in annotated_clips(ctx.catalog, what.clips):
            own = [p for p in plans if plan.part(p) == annotated.clip.clip_id + suffix]
            tracks = {track.track_id: track for track in annotated.tracks}
            shard += [PlannedClip(annotated.clip, tracks, own)] if own else []
        shards += [shard] if shard else []
    return shards


def _with_donors(ctx: Context, what: Target) -> list[DraftedClip]:
    if ctx.recipe.records is None:
        raise EditmillError(f"{ctx.uri}: its recipe makes pairs, and so has no such stage")
    drafted = lend(annotated_clips(ctx.catalog), ctx.recipe.records, ctx.recipe.seed)
    by_clip = {each.clip.clip_id: each for each in drafted}
    return [by_clip[clip] for clip in what.clips if clip in by_clip]
