"""A build of any size as sub-flows, each with a bounded number of task runs.

On a server's page a build is a list of batches. Prefect keeps something of every task run for as
long as the flow that submitted it is running, in the driver and in what its page loads; a batch
that has ended is let go of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from prefect import flow

from flows.runtime.context import BuildRun
from flows.runtime.running.work import Work, work_of
from flows.runtime.stopping.by_signals import stopped_by_signals

T = TypeVar("T")

MOST_TASKS = 1500
"""Task runs after which a batch takes up nothing new. What it has begun it finishes, with a few
task runs for each worker, and so it stays below 2 000, which a page of a Prefect server shows."""


@flow(name="batch", flow_run_name="{of} {number}", persist_result=False, validate_parameters=False)
def batch(build: BuildRun, of: str, number: int) -> None:
    """One of the batches that a build's shards go through."""
    work = work_of(build)
    # Signals again: Prefect has set a handler of its own by now.
    with stopped_by_signals(work.ctx):
        work.batch()


def in_batches(
    work: Work,
    of: str,
    items: Iterable[T],
    take: Callable[[T], None],
    finish: Callable[[], None],
    most_tasks: int = MOST_TASKS,
) -> None:
    """Calls `take` for every item, and `finish` at the end of every batch, within sub-flows that
    are named by `of`. Both submit tasks (:meth:`Work.submit`), and getting an item may; when
    `finish` returns, none may be left that others are to wait for.

    An item may submit as many tasks as are missing to 2 000.
    """
    ahead = iter(items)
    ended = False

    def one_batch() -> None:
        nonlocal ended
        before = work.submitted
        while work.submitted - before < most_tasks:
            try:
                item = next(ahead)
            except StopIteration:
                ended = True
                break
            take(item)
        finish()
        work.settle()  # what getting items has begun ahead

    number = 0
    while not ended:
        number += 1
        work.batch = one_batch
        batch.with_options(task_runner=work.runner.tasks)(work.ctx.run, of, number)
