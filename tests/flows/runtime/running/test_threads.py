"""Threads that take up what can begin, the one submitted first."""

import gc
import threading
import uuid
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.futures import PrefectConcurrentFuture

from flows.runtime.running.threads import ReadyExecutor


def submit(executor: ReadyExecutor, run: Callable[[], Any], *needed: Future[Any]) -> Future[Any]:
    """As Prefect's runner does: the futures of other tasks are among the parameters."""
    wrapped = tuple(PrefectConcurrentFuture(uuid.uuid4(), each) for each in needed)
    return executor.submit(lambda parameters: run(), parameters={"given": wrapped})


@given(st.lists(st.sets(st.integers(0, 11), max_size=3), max_size=12), st.integers(1, 3))
def test_whatever_needs_what_each_runs_once_after_what_it_needs(
    needs: list[set[int]], workers: int
) -> None:
    ran: list[int] = []
    with ReadyExecutor(ThreadPoolExecutor(workers)) as executor:
        futures: list[Future[Any]] = []
        for number, others in enumerate(needs):
            needed = [futures[each] for each in others if each < number]
            futures.append(submit(executor, lambda number=number: ran.append(number), *needed))
        for future in futures:
            future.result(timeout=20)
    assert sorted(ran) == list(range(len(needs)))
    place = {number: at for at, number in enumerate(ran)}
    for number, others in enumerate(needs):
        assert all(place[each] < place[number] for each in others if each < number)


def test_of_those_that_can_begin_the_one_submitted_first_does() -> None:
    begin, ran = threading.Event(), list[str]()
    with ReadyExecutor(ThreadPoolExecutor(1)) as executor:
        first = submit(executor, begin.wait)
        submit(executor, lambda: ran.append("second"), first)
        submit(executor, lambda: ran.append("third"))
        begin.set()
    assert ran == ["second", "third"]


def test_shut_down_early_it_runs_nothing_more() -> None:
    begun, end = threading.Event(), threading.Event()
    executor = ReadyExecutor(ThreadPoolExecutor(1))
    first = submit(executor, lambda: (begun.set(), end.wait()))
    waits = [submit(executor, lambda: pytest.fail("it ran"), *needed) for needed in ((), (first,))]
    assert begun.wait(20)
    threading.Timer(0.1, end.set).start()
    executor.shutdown(cancel_futures=True)
    assert first.done() and not first.cancelled()
    for future in waits:
        with pytest.raises(CancelledError):
            future.result(timeout=20)


def test_an_error_is_the_futures_own() -> None:
    with ReadyExecutor(ThreadPoolExecutor(1)) as executor:
        failed = submit(executor, lambda: 1 // 0)
        after = submit(executor, lambda: "went on", failed)
    assert isinstance(failed.exception(), ZeroDivisionError)
    assert after.result() == "went on"  # Prefect's engine says what becomes of it


def test_a_result_is_kept_by_its_own_future_alone() -> None:
    class Result: ...

    with ReadyExecutor(ThreadPoolExecutor(1)) as executor:
        first = submit(executor, Result)
        then = submit(executor, Result, first)
    made = weakref.ref(then.result())
    gc.disable()
    try:
        del then
        assert made() is None
    finally:
        gc.enable()
    assert isinstance(first.result(), Result)
