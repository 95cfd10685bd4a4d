"""A build's progress on a terminal: a live table, or plain lines where nobody watches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from flows.runtime.every import every
from flows.runtime.monitoring.logs import LOG, as_json
from flows.runtime.monitoring.stats import Stats, TaskCount
from flows.runtime.monitoring.status import StageStatus, stage_statuses

REFRESH_PER_SECOND = 4
SECONDS_PER_LINE = 20.0

STOPPING = "stopping once the edits in hand are finished; Ctrl-C again stops at once"


def clock(seconds: float) -> str:
    """`m:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def memory(megabytes: float) -> list[str]:
    """Of the process at its peak, as a part of a line; none before it was looked at."""
    return [f"{megabytes / 1024:.1f} GiB of memory at most"] if megabytes else []


def stage_table(stages: Sequence[StageStatus]) -> Table:
    """Per stage: records done and expected, rate, time left, reused, failed."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("stage", "", "records", "per min", "left", "reused", "failed"):
        table.add_column(heading, justify="left" if heading in ("stage", "") else "right")
    for stage in stages:
        finished = stage.total - stage.left
        table.add_row(
            stage.name,
            ProgressBar(total=max(stage.total, 1), completed=finished, width=28),
            f"{finished}/{stage.total}",
            "" if stage.per_minute is None else f"{stage.per_minute:.1f}",
            "" if stage.seconds_left is None or not stage.left else clock(stage.seconds_left),
            str(stage.reused or ""),
            f"[red]{stage.failed}[/red]" if stage.failed else "",
        )
    return table


def kept_line(tasks: Mapping[str, TaskCount], so_far: bool = True) -> str:
    """`12 of 15 kept so far: object_removal 3, local_style_transfer 4 …`; empty at first. A build
    that has ended kept them, and not `so_far`."""
    made = sum(count.made for count in tasks.values())
    if not made:
        return ""
    kept = sum(count.kept for count in tasks.values())
    by_task = ", ".join(f"{task} {count.kept}" for task, count in sorted(tasks.items()))
    return f"{kept} of {made} kept{' so far' if so_far else ''}: {by_task}"


class _LiveTable:
    """Renders the counters anew at each refresh."""

    def __init__(self, stats: Stats, stop: threading.Event) -> None:
        self._stats, self._stop = stats, stop

    def __rich__(self) -> RenderableType:
        hint = STOPPING if self._stop.is_set() else "Ctrl-C stops; the same command continues"
        used = memory(self._stats.peak_memory_mb)
        caption = " · ".join([clock(self._stats.wall_seconds()), *used, hint])
        parts = [kept_line(dict(self._stats.tasks)), caption]
        lines = [Text(part, style="dim") for part in parts if part]
        return Group(stage_table(stage_statuses(self._stats)), *lines)


@contextmanager
def live(stats: Stats, console: Console, stop: threading.Event) -> Iterator[None]:
    """Shows `stats` until left: a live table on a terminal, else a line now and then, in the log
    where that is JSON. Once `stop` is set, the table says that the build is stopping."""
    if as_json():
        with lines(stats, LOG.info):
            yield
        return
    if not console.is_terminal:
        with lines(stats, lambda line: console.print(line, highlight=False, soft_wrap=True)):
            yield
        return
    with Live(_LiveTable(stats, stop), console=console, refresh_per_second=REFRESH_PER_SECOND):
        yield


def stage_counts(stages: Iterable[StageStatus]) -> list[str]:
    """How many records have passed each stage: `ingest 3/4`."""
    return [f"{stage.name} {stage.total - stage.left}/{stage.total}" for stage in stages]


def lines(stats: Stats, tell: Callable[[str], None]) -> AbstractContextManager[None]:
    """Meanwhile, `tell` gets a line now and then: the time, each stage's records, what is kept."""

    def call() -> None:
        counts = stage_counts(stage_statuses(stats))
        kept = kept_line(dict(stats.tasks)).partition(":")[0]
        tell(" ".join([clock(stats.wall_seconds()), *counts, *filter(None, [kept])]))

    return every(SECONDS_PER_LINE, call, "progress")
