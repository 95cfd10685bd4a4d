"""The stages as Prefect tasks: one task run per stage and shard."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.runtime.context import BuildRun
from flows.runtime.running.report import TaskResult
from flows.runtime.running.worker import Stage, run_stage
from flows.stages import bank, edit, instruct, plan
from flows.stages.clips import annotate, fetch, ingest, look
from flows.stages.judging import judge
from flows.stages.local_edits import draw, local_edit

FIRST = (annotate.STAGE, draw.STAGE)
"""Where shards of clips begin."""

LAST = (judge.STAGE, local_edit.STAGE)
"""A shard is finished when it has been through one of these."""


def stage_task(stage: str, run: Stage) -> Any:
    """A task that runs one stage on one shard, or on a shard and what goes with it."""

    def shard_task(build: BuildRun, given: Any) -> TaskResult:
        return run_stage(build, stage, run, given, first=stage in FIRST, last=stage in LAST)

    # The journal is the cache: it knows records, Prefect would only know whole shards.
    return task(
        name=stage, task_run_name=stage, cache_policy=NO_CACHE, persist_result=False, retries=0
    )(shard_task)


fetch_shard = stage_task(fetch.STAGE, fetch.run)
look_shard = stage_task(look.STAGE, look.run)
ingest_shard = stage_task(ingest.STAGE, ingest.run)
annotate_shard = stage_task(annotate.STAGE, annotate.run)
bank_shard = stage_task(bank.STAGE, bank.run)
plan_shard = stage_task(plan.STAGE, plan.run)
plan_swaps_shard = stage_task(plan.STAGE, plan.run_swaps)
plan_donated_swaps_shard = stage_task(
    plan.STAGE, lambda ctx, given: plan.run_donated_swaps(ctx, *given)
)
edit_shard = stage_task(edit.STAGE, edit.run)
instruct_shard = stage_task(instruct.STAGE, instruct.run)
judge_shard = stage_task(judge.STAGE, judge.run)
draw_shard = stage_task(draw.STAGE, draw.run_borrowing)
local_edit_shard = stage_task(local_edit.STAGE, local_edit.run)
