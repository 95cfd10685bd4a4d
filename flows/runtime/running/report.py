"""What a task on another process's worker tells the driver besides its records.

Counters, notes and the parts of the tables that it wrote: a build's table of progress, its outcome
and what it removes at its end follow from these, wherever the task ran.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from experts import batching
from experts.write.chat.usage import Usage
from flows.runtime.context import Context
from flows.runtime.monitoring import served
from flows.runtime.monitoring.stats import Stats, TaskCount
from flows.runtime.selection import FILLED
from flows.runtime.shard import Shard


@dataclass(frozen=True, slots=True)
class TaskReport:
    """Of one task. `stages` are counters by stage, `tasks` counts of products by editing task,
    `span` when it began and ended (`time.time()`), `written` the parts of each table with their
    fingerprints."""

    stages: Mapping[str, Mapping[str, float]]
    tasks: Mapping[str, TaskCount]
    span: tuple[float, float]
    peak_memory_mb: float
    written: Mapping[str, Mapping[str, int]]
    notes: tuple[str, ...] = ()
    worth_retrying: bool = False
    usage: Mapping[str, Usage] = field(default_factory=dict)
    reduced: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def add_to(self, ctx: Context) -> None:
        """The driver's context knows of it. Safe under threads; to be called once."""
        ctx.stats.add(self.stages, self.tasks, self.span, self.peak_memory_mb)
        ctx.catalog.tables.note_written(self.written)
        ctx.notes += [note for note in self.notes if note not in ctx.notes]
        ctx.worth_retrying |= self.worth_retrying
        ctx.add_usage(self.usage)
        batching.note_reduced(self.reduced)


@dataclass(frozen=True, slots=True)
class TaskResult:
    """A task's records; `report` is None where it ran in the driver's process, which saw it all."""

    records: Shard[Any]
    report: TaskReport | None = None


class Reporting:
    """Collects a task's report in a worker whose context is used by one task at a time."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        ctx.stats = Stats(workers=ctx.recipe.run.workers)
        ctx.notes.clear()
        ctx.worth_retrying = False
        ctx.catalog.tables.forget_written()
        self._began = time.time()
        self._asked = served.usage(ctx.recipe)

    def report(self) -> TaskReport:
        ctx, stats = self._ctx, self._ctx.stats
        return TaskReport(
            stages=stats.counters(),
            tasks=stats.tasks,
            span=(self._began, time.time()),
            peak_memory_mb=stats.peak_memory_mb,
            written={table: ctx.catalog.tables.written(table) for table in FILLED},
            notes=tuple(ctx.notes),
            worth_retrying=ctx.worth_retrying,
            usage=served.since(self._asked, served.usage(ctx.recipe)),
            reduced=batching.reduced(),
        )
