"""Drafts in, local-editing records out: their masks, captions and motion."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.keys import digest
from catalog.records import LocalEdit, from_row, to_row
from experts.annotate.motion.flow import FlowEstimator
from experts.local_edits.captions import LocalCaptioner
from experts.local_edits.draw import DraftedClip
from experts.local_edits.make import VERSION, inputs, make
from experts.local_edits.working import WorkingClip
from experts.memory import using
from experts.providers import chosen
from flows.runtime.context import Context
from flows.runtime.results import journal
from flows.runtime.results.journal import Document

STAGE = "local_edit"


def run(ctx: Context, shard: Sequence[DraftedClip]) -> list[LocalEdit]:
    """The shard's records, written to the table of local edits."""
    rules, store = ctx.recipe.records, ctx.catalog.media
    assert rules is not None
    captioner: LocalCaptioner = chosen(ctx.recipe.models.region_captions)
    jobs = [(drafted, draft) for drafted in shard for draft in drafted.drafts]
    flow: FlowEstimator = chosen(ctx.recipe.models.flow)
    working = {drafted.clip.clip_id: WorkingClip(ctx.catalog, drafted, flow) for drafted in shard}

    def made(draft: LocalEdit) -> Document:
        with using(captioner, flow):
            return {"edit": to_row(make(draft, working[draft.clip_id], store, rules, captioner))}

    documents = journal.run(
        ctx,
        STAGE,
        jobs,
        key=lambda job: digest(
            VERSION, captioner.version, flow.version, *inputs(*job), rules.max_masked
        ),
        page=lambda job: job[0].clip.clip_id,
        work=lambda batch: [made(draft) for _, draft in batch],
        name=lambda job: f"{job[1].task} {job[1].subset} {job[1].edit_id}",
    )
    edits = [from_row(LocalEdit, document["edit"]) for _, document in documents]
    for edit in edits:
        ctx.stats.judged(edit.task, keep=True)  # nothing is rejected after it was made
    parts: dict[str, list[LocalEdit]] = {drafted.clip.clip_id: [] for drafted in shard}
    for edit in edits:
        parts[edit.clip_id].append(edit)
    ctx.catalog.tables.put("local_edits", parts)
    return edits
