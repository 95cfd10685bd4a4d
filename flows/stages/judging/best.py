"""Which of an edit's attempts is the best, as the recipe's judge compares them (`plan.best_of`).

Only attempts that all filters keep are compared: what is rejected anyway needs no rank.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from catalog.keys import digest
from experts.memory import using
from experts.plan.attempts import edit_of
from filters.base import PairFrames
from filters.vlm.best_of import best_of
from filters.vlm.judgement import PairJudge
from flows.runtime.context import Context
from flows.runtime.results import journal
from flows.runtime.results.journal import Document
from flows.stages.instruct import InstructedEdit
from flows.stages.plan import part

STAGE = "best"


def best_attempts(
    ctx: Context,
    edits: Sequence[InstructedEdit],
    kept: Sequence[bool],
    judge: PairJudge,
    sample: Callable[[InstructedEdit], PairFrames],
) -> list[float | None]:
    """For each attempt 1 if it is its edit's best, 0 if it is not, None where it is rejected, has
    no rival that is kept, or could not be compared."""
    rivals: dict[tuple[str, str, str, int], list[int]] = defaultdict(list)
    for i, edit in enumerate(edits):
        if kept[i]:
            rivals[edit_of(edit.edit.plan)].append(i)
    groups = [[edits[i] for i in own] for own in rivals.values() if len(own) > 1]
    if not groups:
        return [None] * len(edits)
    ctx.stats.expect(STAGE, len(groups))
    version = judge.version
    documents = journal.run(
        ctx,
        STAGE,
        groups,
        key=lambda group: digest(
            version,
            [(e.edit.source.video, e.edit.target.video) for e in group],
            (group[0].edit.plan.task, group[0].instruction),
        ),
        page=lambda group: group[0].edit.clip.clip_id,
        part=lambda group: part(group[0].edit.plan),
        work=lambda batch: _documents(judge, [[sample(e) for e in group] for group in batch]),
        name=lambda group: f"{group[0].edit.plan.task} {group[0].edit.plan.plan_id}",
    )
    ranks: dict[str, float] = {}
    for group, document in documents:
        for number, edit in enumerate(group):
            ranks[edit.edit.plan.plan_id] = float(number == document["best"])
    return [ranks.get(edit.edit.plan.plan_id) for edit in edits]


def _documents(judge: PairJudge, attempts: Sequence[Sequence[PairFrames]]) -> list[Document]:
    with using(judge):
        return [{"best": best} for best in best_of(attempts, judge)]
