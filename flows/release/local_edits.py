"""The end of a build of local-editing records: statistics, release, report."""

from __future__ import annotations

import dataclasses
import json

import polars as pl

from catalog.records import LocalEdit, Statistic, from_row
from catalog.report.local import write_local_report
from catalog.report.summary import ModelLine, Summary, TaskLine
from experts.annotate.motion import WORKING
from flows.release.local_statistics import statistics
from flows.release.outcome import Outcome
from flows.release.pairs import REPORT, next_tag, stage_lines, totals
from flows.release.used_models import model_rows
from flows.runtime.context import Context
from flows.stages import local_edit

TASKS = ("addition", "modification", "deletion")
REPORT_RECORDS = 150
"""Records shown in the report; a page that holds their videos must still open."""

NOTES = [
    "Motion is the mean length of the optical flow in px per frame, of a picture whose long side "
    f"is {WORKING} px.",
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
    rows = ctx.catalog.local_edits().sort("edit_id").collect()
    edits: list[LocalEdit] = [from_row(LocalEdit, row) for row in rows.iter_rows(named=True)]
    bars = statistics(edits)
    _replace_statistics(ctx, bars)
    ctx.catalog.tables.merge("models", model_rows(ctx))
    release = ctx.catalog.release(
        tag or next_tag(ctx), recipe=json.dumps(ctx.recipe.decisions(), sort_keys=True)
    )
    tasks, stages = task_lines(ctx), stage_lines(ctx)
    report = ctx.root / REPORT
    with ctx.stats.task(), ctx.stats.work("report"):  # mostly its previews
        write_local_report(
            report,
            _to_show(edits),
            ctx.catalog,
            bars,
            Summary(
                title=f"editmill · {ctx.recipe.name} · {release.tag}",
                created=release.created_at,
                recipe=ctx.recipe.name,
                tasks=tasks,
                stages=stages,
                models=[
                    ModelLine(r["name"], r["version"], r["licence"], r["origin"])
                    for r in ctx.catalog.models().sort("model_id").collect().iter_rows(named=True)
                ],
                notes=NOTES,
            ),
            cache=ctx.root / "work" / "previews",
        )
    return Outcome(
        release=release.tag,
        catalog=str(ctx.root),
        report=str(report),
        product="local_edits",
        tasks=[dataclasses.asdict(line) for line in tasks],
        stages=[dataclasses.asdict(line) for line in stages],
        totals=totals(ctx, tasks),
    )


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
