"""The end of a build of local-editing records: statistics, release, report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import polars as pl

from catalog.records import LocalEdit, Statistic, from_row
from catalog.report.local import write_local_report
from catalog.report.summary import Summary, TaskLine
from experts.annotate.motion.statistics import WORKING_SIDE
from experts.local_edits.statistics import statistics
from flows.release.outcome import Outcome
from flows.release.page import page, report_uri
from flows.release.pairs import (
    stage_lines,
    summary_of,
    summary_so_far,
    totals,
    with_stages_failures_and_models,
)
from flows.release.tag import publish_release
from flows.runtime.context import Context
from flows.stages.local_edits import local_edit

TASKS = ("addition", "modification", "deletion")
REPORT_RECORDS = 150
"""Records shown in the report; a page that holds their videos must still open."""

NOTES = (
    "Motion is the mean length of the optical flow in px per frame, of a picture whose long side "
    f"is {WORKING_SIDE} px.",
    "A deletion's background is a calm place that no tracked object crosses; nobody recognised it "
    "as road or sky.",
)
MEASURED = (
    "The captioner measures colour, size, place and motion in the mask; a vision-language model "
    "would see more (`models.region_captions`)."
)


def task_lines(ctx: Context) -> list[TaskLine]:
    """Per task: drawn, made, and why the others were not; every record made is kept."""
    made = dict(ctx.catalog.local_edits().group_by("task").len().collect().iter_rows())
    failed = ctx.catalog.failures().filter(pl.col("stage") == local_edit.STAGE)
    reasons: dict[str, dict[str, int]] = {task: {} for task in TASKS}
    for row in failed.sort("reason").collect().iter_rows(named=True):
        of_task = reasons[row["record"].split()[0]]
        of_task[row["reason"]] = of_task.get(row["reason"], 0) + 1
    return [
        TaskLine(
            task=task,
            planned=made.get(task, 0) + sum(reasons[task].values()),
            made=made.get(task, 0),
            kept=made.get(task, 0),
            rejected=reasons[task],
        )
        for task in TASKS
    ]


def publish(ctx: Context, tag: str | None, without: Sequence[str] = ()) -> Outcome:
    """Writes the statistics, the release and the report; returns what to show. Where nothing was
    made, there is no release."""
    edits = _edits(ctx)
    bars = statistics(edits)
    ctx.catalog.tables.put("statistics", {"all": bars})
    release = publish_release(ctx, tag, without) if edits else None
    tasks, stages = task_lines(ctx), stage_lines(ctx)
    with ctx.stats.task("report"):
        report = _write(ctx, edits, bars, summary_of(ctx, release, tasks, _notes(ctx)))
    return Outcome(
        release=release.tag if release else "",
        catalog=ctx.uri,
        report=report,
        product="local_edits",
        tasks=[dataclasses.asdict(line) for line in tasks],
        stages=[dataclasses.asdict(line) for line in stages],
        totals=totals(ctx, tasks),
    )


def _notes(ctx: Context) -> list[str]:
    measured = ctx.recipe.models.region_captions.provider == "measured"
    return [*NOTES, *([MEASURED] if measured else [])]


def report_so_far(ctx: Context, reload_seconds: int) -> None:
    """Writes the report of a build that is still running."""
    edits = _edits(ctx)
    summary = summary_so_far(ctx, task_lines(ctx), reload_seconds)
    _write(ctx, edits, statistics(edits), summary)


def _edits(ctx: Context) -> list[LocalEdit]:
    rows = ctx.catalog.local_edits().sort("edit_id").collect()
    return [from_row(LocalEdit, row) for row in rows.iter_rows(named=True)]


def _write(ctx: Context, edits: list[LocalEdit], bars: list[Statistic], summary: Summary) -> str:
    with ctx.stats.work("report"), page(ctx) as report:  # mostly its previews
        write_local_report(
            report,
            _to_show(edits),
            ctx.catalog,
            bars,
            with_stages_failures_and_models(ctx, summary),
            cache=ctx.workspace / "previews",
        )
    return report_uri(ctx)


def _to_show(edits: list[LocalEdit]) -> list[LocalEdit]:
    """An equal share of each task and subset, at most REPORT_RECORDS in all."""
    shown = []
    for task in TASKS:
        for subset in ("video", "image"):
            own = [e for e in edits if (e.task, e.subset) == (task, subset)]
            shown += own[: REPORT_RECORDS // (2 * len(TASKS))]
    return shown
