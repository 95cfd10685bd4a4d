"""The end of a build of local-editing records: statistics, release, report."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import polars as pl

from catalog.records import LocalEdit, Statistic, from_row
from catalog.report.local import write_local_report
from catalog.report.summary import Summary, TaskLine
from experts.annotate.motion.statistics import WORKING_SIDE
from experts.local_edits.statistics import statistics
from flows.release.outcome import REPORT, Outcome
from flows.release.pairs import (
    next_tag,
    stage_lines,
    summary_so_far,
    totals,
    with_stages_and_models,
)
from flows.release.used_models import model_rows
from flows.runtime.context import Context
from flows.stages import local_edit

TASKS = ("addition", "modification", "deletion")
REPORT_RECORDS = 150
"""Records shown in the report; a page that holds their videos must still open."""

NOTES = [
    "Motion is the mean length of the optical flow in px per frame, of a picture whose long side "
    f"is {WORKING_SIDE} px.",
    "The captioner measures colour, size, place and motion in the mask; a vision-language model "
    "would see more.",
    "A deletion's background is a calm place that no tracked object crosses; nobody recognised it "
    "as road or sky.",
]


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


def publish(ctx: Context, tag: str | None) -> Outcome:
    """Writes the statistics, the release and the report; returns what to show."""
    edits = _edits(ctx)
    bars = statistics(edits)
    _replace_statistics(ctx, bars)
    ctx.catalog.tables.merge("models", model_rows(ctx))
    release = ctx.catalog.release(
        tag or next_tag(ctx), recipe=json.dumps(ctx.recipe.decisions(), sort_keys=True)
    )
    tasks, stages = task_lines(ctx), stage_lines(ctx)
    title = f"editmill · {ctx.recipe.name} · {release.tag}"
    summary = Summary(title, release.created_at, ctx.recipe.name, tasks, notes=NOTES)
    with ctx.stats.task():
        report = _write(ctx, edits, bars, summary)
    return Outcome(
        release=release.tag,
        catalog=str(ctx.root),
        report=str(report),
        product="local_edits",
        tasks=[dataclasses.asdict(line) for line in tasks],
        stages=[dataclasses.asdict(line) for line in stages],
        totals=totals(ctx, tasks),
    )


def report_so_far(ctx: Context, reload_seconds: int) -> None:
    """Writes the report of a build that is still running."""
    edits = _edits(ctx)
    summary = summary_so_far(ctx, task_lines(ctx), reload_seconds)
    _write(ctx, edits, statistics(edits), summary)


def _edits(ctx: Context) -> list[LocalEdit]:
    rows = ctx.catalog.local_edits().sort("edit_id").collect()
    return [from_row(LocalEdit, row) for row in rows.iter_rows(named=True)]


def _write(ctx: Context, edits: list[LocalEdit], bars: list[Statistic], summary: Summary) -> Path:
    report = ctx.root / REPORT
    with ctx.stats.work("report"):  # mostly its previews
        write_local_report(
            report,
            _to_show(edits),
            ctx.catalog,
            bars,
            with_stages_and_models(ctx, summary),
            cache=ctx.root / "work" / "previews",
        )
    return report


def _replace_statistics(ctx: Context, bars: list[Statistic]) -> None:
    ids = {bar.statistic_id for bar in bars}
    old = ctx.catalog.statistics().select("statistic_id").collect()["statistic_id"]
    ctx.catalog.tables.delete("statistics", [each for each in old if each not in ids])
    ctx.catalog.tables.merge("statistics", bars)


def _to_show(edits: list[LocalEdit]) -> list[LocalEdit]:
    """An equal share of each task and subset, at most REPORT_RECORDS in all."""
    shown = []
    for task in TASKS:
        for subset in ("video", "image"):
            own = [e for e in edits if (e.task, e.subset) == (task, subset)]
            shown += own[: REPORT_RECORDS // (2 * len(TASKS))]
    return shown
