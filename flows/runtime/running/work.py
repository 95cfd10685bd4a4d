"""Gives shards to the runner's tasks and takes in what they report."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from prefect.exceptions import UnfinishedRun

from catalog.errors import EditmillError
from flows.runtime.context import BuildRun, Context, Stopped, findable
from flows.runtime.every import every
from flows.runtime.running.report import TaskResult
from flows.runtime.running.resources import resources
from flows.runtime.running.runner import Runner
from flows.runtime.shard import Shard

POLL_SECONDS = 0.5
"""Between two looks at which tasks of other processes have ended."""


_works: dict[str, Work] = {}


def work_of(build: BuildRun) -> Work:
    """The work of a build that this process drives."""
    return _works[build.run_id]


class Work:
    """The tasks of one build; made by its driver, around the flow that submits them."""

    def __init__(self, ctx: Context, runner: Runner) -> None:
        self.ctx, self.runner = ctx, runner
        self.submitted = 0
        self.batch: Callable[[], None] = lambda: None  # what the present batch does
        self._unsettled: WeakSet[Any] = WeakSet()  # futures of this batch, while anybody has them
        self._stages: WeakKeyDictionary[Any, str] = WeakKeyDictionary()  # of futures
        self._open: dict[int, Any] = {}  # futures whose report was not taken in yet, by identity
        self._lock = threading.Lock()

    def submit(self, task: Any, shard: Any) -> Any:
        """The future of a task over a shard: records, or futures of them."""
        with self.runner.asking_for(resources(self.ctx.recipe, task.name)):
            future = task.submit(self.ctx.run, shard)
        self.submitted += 1
        self._unsettled.add(future)
        self._stages[future] = task.name
        if self.runner.remote:
            with self._lock:
                self._open[id(future)] = future
        return future

    def records(self, future: Any) -> Shard[Any]:
        """Waits for the task's records. Raises what it raised, and Stopped where it was stopped."""
        try:
            made = future.result()
        except Exception as error:
            never_begun = isinstance(error, UnfinishedRun)  # a task that it waits for ended badly
            if never_begun and self.runner.remote:
                self._poll()  # that one says why
            if self.ctx.stop.is_set() and (never_begun or self.runner.remote):
                raise Stopped from None  # remote: what an interrupted task raises
            told = self._told(future, error)
            self.ctx.fail(told)
            raise told from error
        self._take(future, made)
        return made.records

    def settle(self) -> None:
        """Waits for the tasks whose futures somebody still has, which may be asked for their
        records later: a runner lets go of tasks that wait when their flow ends."""
        for future in list(self._unsettled):
            future.wait()
        self._unsettled.clear()

    @contextmanager
    def findable(self) -> Iterator[None]:
        """Meanwhile, the flow finds it (:func:`work_of`), and its tasks in this process find its
        context."""
        run_id = self.ctx.run.run_id
        _works[run_id] = self
        try:
            with findable(self.ctx):
                yield
        finally:
            del _works[run_id]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Meanwhile, reports are taken in as tasks end, and once the build shall stop, tasks in
        other processes are told so."""
        if not self.runner.remote:
            yield
            return
        with every(POLL_SECONDS, self._poll, "reports"):
            yield

    def _take(self, future: Any, made: TaskResult) -> None:
        with self._lock:
            known = self._open.pop(id(future), None) is not None
        if known and made.report is not None:
            made.report.add_to(self.ctx)

    def _poll(self) -> None:
        with self._lock:
            waiting = list(self._open.values())
        if self.ctx.stop.is_set():
            self.runner.stop(waiting)
        for future in self.runner.ended(waiting):
            try:
                self._take(future, future.result())
            except Exception as error:  # the driver may come to it late
                with self._lock:
                    self._open.pop(id(future), None)
                if not self.ctx.stop.is_set():
                    self.ctx.fail(self._told(future, error))

    def _told(self, future: Any, error: Exception) -> Exception:
        """What ended a task: what it raised, or one of ours where it could raise nothing."""
        died = self.runner.died(error)
        return EditmillError(f"{self._stages.get(future, 'a stage')}: {died}") if died else error
