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
from flows.runtime.context import BuildRun, Context, context_of
from flows.runtime.monitoring.seen import seen
from flows.runtime.monitoring.stats import Stats
from flows.runtime.results.commits import Commits
from flows.runtime.running.report import Reporting, TaskResult
from flows.runtime.selection import select
from flows.runtime.servers.models import settle
from flows.runtime.shard import Shard, remember
from flows.runtime.stopping.by_signals import stopped_by_signals
from flows.runtime.worker import limit_gpu_memory, limit_threads

Stage = Callable[[Context, Sequence[Any]], list[Any]]

_joined: dict[str, Context] = {}
_one_at_a_time = threading.Lock()


def run_stage(
    build: BuildRun, name: str, stage: Stage, given: Any, *, first: bool, last: bool
) -> TaskResult:
    """What the stage of that name makes of a shard, or of a shard and what goes with it.

    `first` says that a shard of clips begins with this stage, `last` that no other follows.
    """
    limit_threads(build.recipe.run.threads)
    limit_gpu_memory(build.recipe.run.gpu_memory)

    def run(ctx: Context) -> Shard[Any]:
        records = _records(given)
        shard = records[0] if isinstance(records, tuple) else records
        shard = shard if isinstance(shard, Shard) else Shard(shard)
        with seen(ctx, name, shard):
            try:
                if first:
                    remember(ctx.catalog.products, shard)
                made = Shard(stage(ctx, records), shard.name)
                if last:
                    ctx.commits.shard_finished()
                return made
            except Exception as error:
                ctx.fail(error)
                raise

    ctx = context_of(build)
    if ctx is not None:
        return TaskResult(run(ctx))
    with _one_at_a_time:
        ctx = _context(build)
        reporting = Reporting(ctx)
        # A runner that wants its workers to stop interrupts them, as a terminal does.
        with ctx.stats.watch(), stopped_by_signals(ctx, notice=False):
            made = run(ctx)
        return TaskResult(made, reporting.report())


def _records(given: Any) -> Any:
    """Tasks before this one gave it theirs with a report."""
    if isinstance(given, TaskResult):
        return given.records
    if type(given) is tuple:
        return tuple(_records(each) for each in given)
    return given


def _context(build: BuildRun) -> Context:
    """This process's context of a build that another process began."""
    if build.run_id not in _joined:
        _joined.clear()  # an earlier build's
        opened = catalog.open(build.at)
        ctx = Context(build, opened.storage, select(opened, build.recipe), Stats())
        if isinstance(opened.storage, Versioned):
            ctx.commits = Commits(opened.storage, build.recipe.name)
        ctx.readiness.away = settle(build.recipe, ctx.catalog.products)
        _joined[build.run_id] = ctx
    ctx = _joined[build.run_id]
    ctx.stop.clear()  # it was one task that was interrupted
    ctx.error = None
    return ctx
