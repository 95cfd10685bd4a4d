"""How far `editmill edit` is, on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from experts import progress
from flows.runtime.every import every
from flows.runtime.monitoring.progress import SECONDS_PER_LINE, clock


@contextmanager
def shown(screen: Console | None = None) -> Iterator[None]:
    """Meanwhile, what is told (:mod:`experts.progress`) is shown on `screen`, by default stderr."""
    screen = screen or Console(stderr=True)
    with _bar(screen) if screen.is_terminal else _lines(screen):
        yield


@contextmanager
def _bar(screen: Console) -> Iterator[None]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=_told(what, done, total), completed=done, total=total)

        with progress.heard_by(show):
            yield


@contextmanager
def _lines(screen: Console) -> Iterator[None]:
    begun, now = time.monotonic(), [""]

    def keep(what: str, done: int, total: int) -> None:
        now[0] = _told(what, done, total)

    def call() -> None:
        line = f"{clock(time.monotonic() - begun)} {now[0]}"
        screen.print(line, highlight=False, markup=False, soft_wrap=True)

    with progress.heard_by(keep), every(SECONDS_PER_LINE, call, "progress"):
        yield


def _told(what: str, done: int, total: int) -> str:
    return f"{what} {done}/{total}" if total else what
