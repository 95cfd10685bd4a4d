"""A test's flow, and stages that its tasks carry out, importable in a worker's process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prefect import flow

from catalog.errors import BadInput, EditmillError
from catalog.keys import digest
from flows.runtime.context import BuildRun, Context
from flows.runtime.results import journal
from flows.runtime.running.work import Work, work_of

drivers: dict[str, Callable[[Work], Any]] = {}
"""What a build's flow does, by its run's id."""


@flow(persist_result=False, validate_parameters=False)
def driven(build: BuildRun) -> Any:
    """Calls the build's driver."""
    return _drive(build)  # a flow's own body is sent to workers, and this is not


def _drive(build: BuildRun) -> Any:
    work = work_of(build)
    with work.watched():
        return drivers[build.run_id](work)


def doubled(ctx: Context, shard: Sequence[int]) -> list[int]:
    """Twice each record; negative ones fail."""

    def work(batch: list[int]) -> list[dict[str, Any] | BadInput]:
        return [
            BadInput("negative", f"{n}: is negative") if n < 0 else {"value": 2 * n} for n in batch
        ]

    ctx.notes.append("doubled")
    ctx.stats.judged("doubling", keep=True)
    documents = journal.run(ctx, "edit", shard, key=digest, work=work, name=str)
    return [document["value"] for _, document in documents]


def refusing(ctx: Context, shard: Sequence[int]) -> list[int]:
    """The whole build cannot go on."""
    raise EditmillError("no disk is left; make room")


def waiting(ctx: Context, shard: Sequence[Path]) -> list[int]:
    """Waits until the build shall stop; a file says that it began."""
    ctx.check_stop()
    for path in shard:
        path.touch()
    for _ in range(600):
        ctx.check_stop()
        time.sleep(0.1)
    return []


def noting(ctx: Context, shard: Sequence[Path]) -> list[int]:
    """Each file's name becomes a line of the list beside it, in the order of their turns."""
    for path in shard:
        with path.with_name("turns").open("a") as turns:
            turns.write(f"{path.name}\n")
        time.sleep(0.05)
    return []


def following(ctx: Context, shard: Sequence[Path]) -> list[Path]:
    """The files, once another task has noted one beside them."""
    for _ in range(600):
        if shard[0].with_name("turns").exists():
            return list(shard)
        time.sleep(0.1)
    raise EditmillError("no other task had its turn")


def dying(ctx: Context, shard: Sequence[Path]) -> list[int]:
    """Its worker dies at the first try."""
    for path in shard:
        if not path.exists():
            path.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return [os.getpid()]


def doomed(ctx: Context, shard: Sequence[int]) -> list[int]:
    """Its worker dies at each try, as one does whose memory is never enough."""
    os.kill(os.getpid(), signal.SIGKILL)
    return []
