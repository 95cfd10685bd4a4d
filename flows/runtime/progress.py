"""A live line per stage while a build runs; plain lines where nobody watches a terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from flows.runtime.stats import StageStats, Stats

REFRESH_PER_SECOND = 4
SECONDS_PER_LINE = 20.0


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _row(stage: StageStats) -> tuple[str, ProgressBar, str, str, str, str]:
    finished = stage.done + stage.reused + stage.failed
    return (
        stage.name,
        ProgressBar(total=max(stage.total, 1), completed=finished, width=28),
        f"{finished}/{stage.total}",
        str(stage.reused or ""),
        f"[red]{stage.failed}[/red]" if stage.failed else "",
        _clock(stage.seconds),
    )


class _LiveTable:
    """Renders the counters anew at each refresh."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    def __rich__(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in ("stage", "", "records", "reused", "failed", "worked"):
            table.add_column(heading, justify="left" if heading in ("stage", "") else "right")
        for stage in list(self._stats.stages.values()):
            table.add_row(*_row(stage))
        table.caption = (
            f"{_clock(self._stats.wall_seconds())} · "
            f"{self._stats.peak_memory_mb / 1024:.1f} GiB at most · "
            "Ctrl-C stops; the same command continues"
        )
        return table


@contextmanager
def live(stats: Stats, console: Console) -> Iterator[None]:
    """Shows `stats` until left: a live table on a terminal, else a line now and then."""
    if not console.is_terminal:
        with _lines(stats, console):
            yield
        return
    with Live(_LiveTable(stats), console=console, refresh_per_second=REFRESH_PER_SECOND):
        yield


@contextmanager
def _lines(stats: Stats, console: Console) -> Iterator[None]:
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(SECONDS_PER_LINE):
            counts = (
                f"{s.name} {s.done + s.reused + s.failed}/{s.total}"
                for s in [*stats.stages.values()]
            )
            console.print(_clock(stats.wall_seconds()), *counts, highlight=False, soft_wrap=True)

    thread = threading.Thread(target=loop, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
