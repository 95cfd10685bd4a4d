"""A shard's task, wherever it runs.

In the driver's process all tasks share its context. A worker elsewhere opens the catalog by its URI
and knows nothing else of the driver; what the driver must know of the task goes back with its
records. Models stay loaded in a worker's process from task to task.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import catalog
from catalog.storage.location import Versioned
from flows.runtime.commits import Commits
from flows.runtime.context import BuildRun, Context, context_of
from flows.runtime.monitoring.stats import Stats
from flows.runtime.running.report import Made, Reporting
from flows.runtime.selection import select
from flows.runtime.stopping import stopped_by_signals
from flows.runtime.worker import limit_gpu_memory, limit_threads

Stage = Callable[[Context, Sequence[Any]], list[Any]]

_joined: dict[str, Context] = {}
_one_at_a_time = threading.Lock()


def run_stage(build: BuildRun, name: str, stage: Stage, shard: Any, *, last: bool) -> Made:
    """The records that the stage of that name makes of a shard; `last` says that no other stage follows."""
    limit_threads(build.recipe.run.threads)
    limit_gpu_memory(build.recipe.run.gpu_memory)
    ctx = context_of(build)
    if ctx is not None:
        return Made(_run(ctx, name, stage, shard, last))
    with _one_at_a_time:
        ctx = _context(build)
        reporting = Reporting(ctx)
        # A runner that wants its workers to stop interrupts them, as a terminal does.
        with ctx.stats.watch(), stopped_by_signals(ctx, notice=False):
            made = _run(ctx, name, stage, shard, last)
        return Made(made, reporting.report())


def _run(ctx: Context, name: str, stage: Stage, shard: Any, last: bool) -> list[Any]:
    with ctx.stats.task(name):
        try:
            made = stage(ctx, _records(shard))
            if last:
                ctx.commits.shard_finished()
            return made
        except Exception as error:
            ctx.fail(error)
            raise


def _records(shard: Any) -> Any:
    """Tasks before this one gave it theirs with a report."""
    if isinstance(shard, Made):
        return shard.records
    if isinstance(shard, tuple):
        return tuple(_records(each) for each in shard)
    return shard


def _context(build: BuildRun) -> Context:
    """This process's context of a build that another process began."""
    if build.run_id not in _joined:
        _joined.clear()  # an earlier build's
        opened = catalog.open(build.at)
        ctx = Context(build, opened.storage, select(opened, build.recipe), Stats())
        if isinstance(opened.storage, Versioned):
            ctx.commits = Commits(opened.storage, build.recipe.name)
        _joined[build.run_id] = ctx
    ctx = _joined[build.run_id]
    ctx.stop.clear()  # it was one task that was interrupted
    ctx.error = None
    return ctx
