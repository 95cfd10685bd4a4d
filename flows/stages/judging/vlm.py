"""Pairs asked of the recipe's judge (`models.judge`), beside the filters.

Its products are its own: a filter that changes asks no judge again, and what a judge said of a pair
stays when thresholds change, and with them the pairs that are asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from catalog.errors import BadInput
from catalog.keys import digest
from experts.memory import using
from filters.base import ABSTAINED, NOT_MEASURED, PairFrames
from filters.vlm.judgement import Judgement, PairJudge
from flows.runtime.context import Context
from flows.runtime.results import journal
from flows.runtime.results.journal import Document
from flows.stages.instruct import InstructedEdit
from flows.stages.plan import part

STAGE = "vlm"
BATCH = 4


def judged(
    ctx: Context,
    shard: Sequence[InstructedEdit],
    judge: PairJudge,
    sample: Callable[[InstructedEdit], PairFrames],
    *,
    asked: Sequence[bool],
) -> list[Judgement]:
    """A judgement of each of the shard's pairs: `not_measured` where it is not `asked`, `abstained`
    where there is none. `sample` gives the frames of a pair."""
    chosen = [edit for edit, wanted in zip(shard, asked, strict=True) if wanted]
    ctx.stats.expect(STAGE, len(chosen))
    version = judge.version
    documents = journal.run(
        ctx,
        STAGE,
        chosen,
        key=lambda e: digest(
            version,
            (e.edit.source.video, e.edit.target.video),
            (e.edit.plan.task, e.instruction),
        ),
        page=lambda e: e.edit.clip.clip_id,
        part=lambda e: part(e.edit.plan),
        work=lambda batch: _documents(judge, [sample(edit) for edit in batch]),
        name=lambda e: f"{e.edit.plan.task} {e.edit.plan.plan_id}",
        batch=BATCH,
    )
    found = {edit.edit.plan.plan_id: Judgement(**document) for edit, document in documents}
    missing = {True: Judgement(reason=ABSTAINED), False: Judgement(reason=NOT_MEASURED)}
    return [
        found.get(edit.edit.plan.plan_id, missing[wanted])
        for edit, wanted in zip(shard, asked, strict=True)
    ]


def _documents(judge: PairJudge, samples: Sequence[PairFrames]) -> list[Document | BadInput]:
    with using(judge):
        return [
            each if isinstance(each, BadInput) else each.document()
            for each in judge.judgements(samples)
        ]
