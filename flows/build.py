"""The parent flow: one Prefect task per stage and shard, from sources to a release.

    ingest → annotate → plan → edit → instruct → judge → release, report   pairs
    ingest → annotate → draw → local_edit → release, report                local-editing records

Shards run side by side on `run.workers` threads: the heavy calls all release the interpreter lock,
and so share one copy of every model. Nothing but small records passes between tasks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, TypeVar

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from catalog.records import Clip
from experts.plan.donors import Bank
from flows.recipe import Recipe, Records
from flows.runtime import signals, worker
from flows.runtime.context import BuildRun, Context, Stopped, context_of, findable
from flows.runtime.prefect_client import Connection, using
from flows.sources import list_sources
from flows.stages import annotate, bank, draw, edit, ingest, instruct, judge, local_edit, plan

R = TypeVar("R")


def shards(records: Sequence[R], size: int) -> list[Sequence[R]]:
    """Slices of at most `size` records."""
    return [records[i : i + size] for i in range(0, len(records), size)]


def _shard_task(stage: str, run: Callable[[Context, Any], list[Any]]) -> Any:
    """A Prefect task that runs one stage on one shard."""

    def shard_task(build: BuildRun, shard: Sequence[Any]) -> list[Any]:
        ctx = context_of(build)
        worker.limit_threads(build.recipe.run.threads)
        with ctx.stats.task():
            try:
                return run(ctx, shard)
            except Exception as error:
                ctx.fail(error)
                raise

    # The journal is the cache: it knows records, Prefect would only know whole shards.
    return task(
        name=stage, task_run_name=stage, cache_policy=NO_CACHE, persist_result=False, retries=0
    )(shard_task)


_ingest = _shard_task(ingest.STAGE, ingest.run)
_annotate = _shard_task(annotate.STAGE, annotate.run)
_bank = _shard_task(bank.STAGE, bank.run)
_plan = _shard_task(plan.STAGE, lambda ctx, given: plan.run(ctx, *given))
_edit = _shard_task(edit.STAGE, edit.run)
_instruct = _shard_task(instruct.STAGE, instruct.run)
_judge = _shard_task(judge.STAGE, judge.run)
_draw = _shard_task(draw.STAGE, draw.run)
_local_edit = _shard_task(local_edit.STAGE, local_edit.run)


def _run(root: Path, recipe: Recipe, run_id: str) -> None:
    ctx = context_of(BuildRun(root, recipe, run_id))
    with _stopped_by_signals(ctx):  # again: Prefect has set its own for SIGTERM by now
        ctx.catalog.products.sweep()
        _stages(ctx)


def _stages(ctx: Context) -> None:
    recipe = ctx.recipe
    size = recipe.run.shard_size

    sources = ingest.distinct(ctx, list_sources(recipe))
    ctx.stats.expect(ingest.STAGE, len(sources))
    ingested = [_ingest.submit(ctx.run, shard) for shard in shards(sources, size)]
    clips = [clip for future in ingested for clip in future.result()]
    ctx.stats.expect(annotate.STAGE, len(clips))
    if recipe.records is None:
        _pairs(ctx, clips)
    else:
        _records(ctx, recipe.records, clips)


def _records(ctx: Context, rules: Records, clips: Sequence[Clip]) -> None:
    recipe, size = ctx.recipe, ctx.recipe.run.shard_size
    annotated = [_annotate.submit(ctx.run, shard) for shard in shards(clips, size)]
    # A deletion takes its mask from another source, so all must be annotated by now.
    cast = draw.cast([clip for future in annotated for clip in future.result()], rules, recipe.seed)
    ctx.stats.expect(draw.STAGE, len(cast))
    drawn = [_draw.submit(ctx.run, shard) for shard in shards(cast, size)]
    made = [_local_edit.submit(ctx.run, shard) for shard in drawn]
    for future in drawn:
        ctx.stats.expect(local_edit.STAGE, sum(len(scene.drafts) for scene in future.result()))
    for future in made:
        future.result()


def _pairs(ctx: Context, clips: Sequence[Clip]) -> None:
    recipe, size = ctx.recipe, ctx.recipe.run.shard_size
    ctx.stats.expect(plan.STAGE, len(clips))
    # In this order a worker seldom waits for a shard that is queued behind it, and the writer,
    # which runs on one core, shares the time with the experts.
    annotated = [_annotate.submit(ctx.run, shard) for shard in shards(clips, size)]
    donors = Bank(())
    if recipe.plan.weights.get("object_swap"):
        ctx.stats.expect(bank.STAGE, len(clips))
        banked = [_bank.submit(ctx.run, shard) for shard in annotated]
        # A donor may come from any clip, so all must have been looked at by now.
        donors = Bank([exhibit for future in banked for exhibit in future.result()])
    planned = [_plan.submit(ctx.run, (shard, donors)) for shard in annotated]
    edited, instructed, judged = [], [], []
    lag = recipe.run.workers
    for k in range(len(planned) + 2 * lag):
        if k < len(planned):
            edited.append(_edit.submit(ctx.run, planned[k]))
        if 0 <= k - lag < len(planned):
            instructed.append(_instruct.submit(ctx.run, edited[k - lag]))
        if 0 <= k - 2 * lag < len(planned):
            judged.append(_judge.submit(ctx.run, instructed[k - 2 * lag]))

    for future in planned:
        edits = sum(len(clip.plans) for clip in future.result())
        for stage in (edit.STAGE, instruct.STAGE, judge.STAGE):
            ctx.stats.expect(stage, edits)
    for future in judged:
        future.result()


def run_flow(ctx: Context, connection: Connection) -> None:
    """Runs the build, reporting to the server at the other end. Raises Stopped after Ctrl-C or
    SIGTERM, EditmillError when it cannot go on; in all cases every finished record is kept and the
    next run continues from there."""
    build = flow(
        name="build",
        flow_run_name=f"build {ctx.recipe.name}",
        task_runner=ThreadPoolTaskRunner(max_workers=ctx.recipe.run.workers),  # type: ignore[arg-type]
        persist_result=False,
        validate_parameters=False,
    )(_run)
    with findable(ctx), using(connection), _stopped_by_signals(ctx), ctx.stats.watch_memory():
        try:
            build(ctx.root, ctx.recipe, ctx.run.run_id)
        except Exception:
            # The first error, not what Prefect makes of the tasks after it.
            if first := ctx.error or connection.lost:
                raise first from None
            if not ctx.stop.is_set():
                raise
    if ctx.stop.is_set():
        raise Stopped


STOP_NOTICE = b"Stopping once the edits in hand are finished; again to stop at once.\n"


def _stopped_by_signals(ctx: Context) -> AbstractContextManager[None]:
    """The first Ctrl-C or SIGTERM lets the records in hand be finished, the second leaves at once;
    the journal is written so that either is safe."""

    def stop(number: int) -> None:
        if ctx.stop.is_set():
            os._exit(128 + number)
        ctx.stopped_by = number
        ctx.stop.set()
        with suppress(OSError):  # stderr may be closed or full
            os.write(2, STOP_NOTICE)  # a handler may interrupt any other printing

    return signals.handled(stop)
