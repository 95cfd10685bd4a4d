"""Prefect's threads, none of which waits for a task of another.

`ThreadPoolTaskRunner` takes tasks up in the order in which they were submitted, and a thread whose
task needs another's result waits for it. Where stages follow one another, a thread would wait
through most of them. Here a task has its turn once the tasks that it needs are done; of those that
could begin, the one submitted first does.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, Self

from prefect.futures import PrefectConcurrentFuture
from prefect.task_runners import ThreadPoolTaskRunner


class ReadyTaskRunner(ThreadPoolTaskRunner[Any]):
    """A `ThreadPoolTaskRunner` whose threads take up what can begin."""

    def __enter__(self) -> Self:
        super().__enter__()
        assert self._executor is not None
        self._executor = ReadyExecutor(self._executor)  # type: ignore[assignment]
        return self


class _Call:
    """A task that waits for others, then for a thread."""

    def __init__(self, number: int, run: Callable[[], Any], needed: int) -> None:
        self.number, self.needed = number, needed
        self.run: Callable[[], Any] | None = run
        self.future: Future[Any] | None = Future()

    def __lt__(self, other: _Call) -> bool:
        return self.number < other.number

    def take(self) -> tuple[Callable[[], Any], Future[Any]]:
        """What to run and whom to tell. Forgotten here: the futures of the tasks that were needed
        still know this call, and would keep its result for as long as their own."""
        run, future = self.run, self.future
        assert run is not None and future is not None
        self.run = self.future = None
        return run, future


class ReadyExecutor(Executor):
    """Runs calls of Prefect's `run_task_sync` on `threads`: of those whose parameters are no
    unfinished futures any more, the one submitted first."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._ready: list[_Call] = []
        self._open: set[Future[Any]] = set()  # not begun
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        needed = list(_needed(kwargs.get("parameters", {})))
        call = _Call(next(self._numbers), partial(fn, *args, **kwargs), len(needed) + 1)
        future = call.future
        assert future is not None
        with self._lock:
            self._open.add(future)
        for each in needed:
            each.add_done_callback(lambda _: self._count_down(call))
        self._count_down(call)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._lock:
            self._closed = cancel_futures
            left = list(self._open)
        if cancel_futures:
            for future in left:
                future.cancel()
        else:
            futures.wait(left)
        self._threads.shutdown(wait, cancel_futures=cancel_futures)

    def _count_down(self, call: _Call) -> None:
        """One of the tasks that the call needs is done, or all are known."""
        with self._lock:
            call.needed -= 1
            if call.needed or self._closed:
                return
            heapq.heappush(self._ready, call)
            self._threads.submit(self._run_first)

    def _run_first(self) -> None:
        with self._lock:
            run, future = heapq.heappop(self._ready).take()
            self._open.discard(future)
        if not future.set_running_or_notify_cancel():
            return
        try:
            made = run()
        except BaseException as error:
            future.set_exception(error)
        else:
            del run
            future.set_result(made)


def _needed(parameters: Mapping[str, Any]) -> Iterator[Future[Any]]:
    """Of the tasks whose results are parameters of a task, or parts of a tuple that is one."""
    for value in parameters.values():
        for each in value if type(value) is tuple else (value,):
            if isinstance(each, PrefectConcurrentFuture):
                yield each.wrapped_future
