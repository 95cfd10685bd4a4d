"""The parent flow: one Prefect task per stage and shard, from sources to a release.

    ingest → annotate → plan → edit → instruct → judge → release, report   pairs
    ingest → annotate → draw → local_edit → release, report                local-editing records

Shards run side by side on `run.workers` threads: the heavy calls all release the interpreter lock,
and so share one copy of every model. Nothing but small records passes between tasks.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from catalog.records import Clip
from flows import probes, retrain, worker
from flows.context import Context, Stopped, context
from flows.donors import Bank
from flows.recipe import Recipe, Records
from flows.sources import list_sources
from flows.stages import annotate, bank, draw, edit, ingest, instruct, judge, local_edit, plan

R = TypeVar("R")


def shards(records: Sequence[R], size: int) -> list[Sequence[R]]:
    """Slices of at most `size` records."""
    return [records[i : i + size] for i in range(0, len(records), size)]


def _shard_task(stage: str, run: Callable[[Context, Any], list[Any]]) -> Any:
    """A Prefect task that runs one stage on one shard."""

    def shard_task(root: Path, recipe: Recipe, shard: Sequence[Any]) -> list[Any]:
        ctx = context(root, recipe)
        worker.limit_threads(recipe.run.threads)
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
_quality = _shard_task(retrain.STAGE, lambda ctx, _: [retrain.ensure_quality_model(ctx)])

_probes = _shard_task(probes.STAGE, lambda ctx, _: [probes.ensure_probes(ctx)])


def _run(root: Path, recipe: Recipe) -> None:
    ctx = context(root, recipe)
    ctx.catalog.products.sweep()
    size = recipe.run.shard_size

    sources = ingest.distinct(ctx, list_sources(recipe))
    ctx.stats.expect(ingest.STAGE, len(sources))
    ingested = [_ingest.submit(root, recipe, shard) for shard in shards(sources, size)]
    clips = [clip for future in ingested for clip in future.result()]
    ctx.stats.expect(annotate.STAGE, len(clips))
    if recipe.records is None:
        _pairs(ctx, root, recipe, clips)
    else:
        _records(ctx, root, recipe, recipe.records, clips)


def _records(
    ctx: Context, root: Path, recipe: Recipe, rules: Records, clips: Sequence[Clip]
) -> None:
    size = recipe.run.shard_size
    annotated = [_annotate.submit(root, recipe, shard) for shard in shards(clips, size)]
    # A deletion takes its mask from another source, so all must be annotated by now.
    cast = draw.cast([clip for future in annotated for clip in future.result()], rules, recipe.seed)
    ctx.stats.expect(draw.STAGE, len(cast))
    drawn = [_draw.submit(root, recipe, shard) for shard in shards(cast, size)]
    made = [_local_edit.submit(root, recipe, shard) for shard in drawn]
    for future in drawn:
        ctx.stats.expect(local_edit.STAGE, sum(len(scene.drafts) for scene in future.result()))
    for future in made:
        future.result()


def _pairs(ctx: Context, root: Path, recipe: Recipe, clips: Sequence[Clip]) -> None:
    size = recipe.run.shard_size
    ctx.stats.expect(plan.STAGE, len(clips))
    # Beside the first shards, since judging comes last.
    learnt = [_quality.submit(root, recipe, []), _probes.submit(root, recipe, [])]
    # In this order a worker seldom waits for a shard that is queued behind it, and the writer,
    # which runs on one core, shares the time with the experts.
    annotated = [_annotate.submit(root, recipe, shard) for shard in shards(clips, size)]
    donors = Bank(())
    if recipe.plan.weights.get("object_swap"):
        ctx.stats.expect(bank.STAGE, len(clips))
        banked = [_bank.submit(root, recipe, shard) for shard in annotated]
        # A donor may come from any clip, so all must have been looked at by now.
        donors = Bank([exhibit for future in banked for exhibit in future.result()])
    planned = [_plan.submit(root, recipe, (shard, donors)) for shard in annotated]
    edited, instructed, judged = [], [], []
    lag = recipe.run.workers
    for k in range(len(planned) + 2 * lag):
        if k < len(planned):
            edited.append(_edit.submit(root, recipe, planned[k]))
        if 0 <= k - lag < len(planned):
            instructed.append(_instruct.submit(root, recipe, edited[k - lag]))
        if 0 <= k - 2 * lag < len(planned):
            shard = instructed[k - 2 * lag]
            judged.append(_judge.submit(root, recipe, shard, wait_for=learnt))

    for future in planned:
        edits = sum(len(clip.plans) for clip in future.result())
        for stage in (edit.STAGE, instruct.STAGE, judge.STAGE):
            ctx.stats.expect(stage, edits)
    for future in [*learnt, *judged]:
        future.result()


def run_flow(ctx: Context) -> None:
    """Runs the build. Raises Stopped after Ctrl-C, EditmillError when it cannot go on; in both
    cases every finished record is kept and the next run continues from there."""
    build = flow(
        name="build",
        flow_run_name=f"build {ctx.recipe.name}",
        task_runner=ThreadPoolTaskRunner(max_workers=ctx.recipe.run.workers),  # type: ignore[arg-type]
        persist_result=False,
        validate_parameters=False,
    )(_run)
    with _stop_on_ctrl_c(ctx), ctx.stats.watch_memory():
        try:
            build(ctx.root, ctx.recipe)
        except Exception:
            # The first error, not what Prefect makes of the tasks after it.
            if ctx.error is not None:
                raise ctx.error from None
            if not ctx.stop.is_set():
                raise
    if ctx.stop.is_set():
        raise Stopped


@contextmanager
def _stop_on_ctrl_c(ctx: Context) -> Iterator[None]:
    """The first Ctrl-C lets every record in hand be finished, the second leaves at once; the
    journal is written so that either is safe."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: object) -> None:
        if ctx.stop.is_set():
            os._exit(130)
        ctx.stop.set()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
