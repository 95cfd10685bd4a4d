"""The end of a build: what came out, its release and its report."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

import polars as pl

from catalog.records import Pair, Release, from_row
from catalog.report.build import write_report
from catalog.report.summary import (
    FailureLine,
    ModelLine,
    StageLine,
    Summary,
    TaskLine,
    threshold_lines,
)
from experts.edit.tasks import TASKS
from experts.providers import chosen
from experts.write.variety import distinct
from filters.alignment.filter import ABSTAIN_BELOW, AlignmentFilter
from filters.config import filters_for, uncalibrated
from filters.quality.filter import QualityFilter
from flows.recipe import Recipe
from flows.release.outcome import Outcome
from flows.release.page import page, report_uri
from flows.release.tag import publish_release
from flows.runtime.context import Context

REPORT_PAIRS = 150
"""Pairs shown in the report; a page that holds their videos must still open."""


REPORT_FAILURES = 5
"""Different messages shown in the report per stage and reason of a failure; others are counted."""


def task_lines(ctx: Context) -> list[TaskLine]:
    """Per task: planned, made, kept, and why the others were rejected, or refused unmade."""
    plans = ctx.catalog.table("plans").group_by("task").len("planned").collect()
    planned = dict(plans.iter_rows())
    refused = _refused(ctx)
    judged = ctx.catalog.pairs().group_by("task", "keep", "reason").len("n").collect()
    lines = []
    for task in sorted(planned, key=list(TASKS).index):
        rows = judged.filter(pl.col("task") == task)
        rejected = {r["reason"]: r["n"] for r in rows.iter_rows(named=True) if not r["keep"]}
        for reason, count in refused.get(task, {}).items():
            rejected[reason] = rejected.get(reason, 0) + count
        kept = int(rows.filter(pl.col("keep"))["n"].sum())
        lines.append(
            TaskLine(
                task=task,
                planned=planned[task],
                made=int(rows["n"].sum()),
                kept=kept,
                rejected=dict(sorted(rejected.items())),
            )
        )
    return lines


def _refused(ctx: Context) -> dict[str, dict[str, int]]:
    """Per task, how many of its edits could not be made, by reason."""
    found: dict[str, dict[str, int]] = {}
    failed = ctx.catalog.failures().filter(pl.col("stage") == "edit").select("record", "reason")
    for record, reason in failed.sort("reason").collect().iter_rows():
        of_task = found.setdefault(record.split()[0], {})
        of_task[reason] = of_task.get(reason, 0) + 1
    return found


def stage_lines(ctx: Context) -> list[StageLine]:
    """Per stage: records, where its time went and peak memory, of this run."""
    return [
        StageLine(
            stage=s.name,
            records=s.done + s.reused,
            reused=s.reused,
            failed=s.failed,
            seconds=round(s.seconds, 1),
            core_seconds=round(s.core_seconds, 1),
            waiting=round(s.waiting, 1),
            besides=round(s.besides, 1),
            peak_memory_mb=round(s.peak_memory_mb),
        )
        for s in ctx.stats.in_order
    ]


def failure_lines(ctx: Context) -> list[FailureLine]:
    """What could not be made, by stage and reason, with the first messages."""
    found = ctx.catalog.failures().sort("stage", "reason", "record")
    different = pl.col("message").unique(maintain_order=True)
    groups = found.group_by("stage", "reason", maintain_order=True).agg(
        count=pl.len(),
        messages=different.head(REPORT_FAILURES),
        more=different.len() - different.head(REPORT_FAILURES).len(),
    )
    return [FailureLine(**row) for row in groups.collect().iter_rows(named=True)]


def publish(ctx: Context, tag: str | None, without: Sequence[str] = ()) -> Outcome:
    """Writes the models table, the release and the report; returns what to show. Where nothing was
    made, there is no release."""
    tasks, stages = task_lines(ctx), stage_lines(ctx)
    notes = [
        *unplanned_notes(ctx.recipe, tasks),
        *filter_notes(ctx),
        *instruction_notes(ctx),
        *off_notes(ctx.recipe),
    ]
    made = any(line.made for line in tasks)
    release = publish_release(ctx, tag, without) if made else None
    with ctx.stats.task("report"):
        report = _write(ctx, summary_of(ctx, release, tasks, notes))
    return Outcome(
        release=release.tag if release else "",
        catalog=ctx.uri,
        report=report,
        tasks=[dataclasses.asdict(line) for line in tasks],
        stages=[dataclasses.asdict(line) for line in stages],
        totals=totals(ctx, tasks),
        notes=notes,
    )


def summary_of(
    ctx: Context, release: Release | None, tasks: list[TaskLine], notes: list[str]
) -> Summary:
    """The report's summary at a build's end; None: nothing was released."""
    tag, created = (release.tag, release.created_at[:19]) if release else ("no release", _now())
    title = f"editmill · {ctx.recipe.name} · {tag}"
    return Summary(title, created, ctx.recipe.name, tasks, notes=notes)


def report_so_far(ctx: Context, reload_seconds: int) -> None:
    """Writes the report of a build that is still running."""
    _write(ctx, summary_so_far(ctx, task_lines(ctx), reload_seconds))


def summary_so_far(ctx: Context, tasks: list[TaskLine], reload_seconds: int) -> Summary:
    """The report's summary while the build is running."""
    title = f"editmill · {ctx.recipe.name} · so far"
    return Summary(title, _now(), ctx.recipe.name, tasks, reload_seconds=reload_seconds)


def with_stages_failures_and_models(ctx: Context, summary: Summary) -> Summary:
    """The summary that also says what the stages took, what failed, and which models took part."""
    models = ctx.catalog.models().sort("model_id").collect()
    return dataclasses.replace(
        summary,
        stages=stage_lines(ctx),
        failures=failure_lines(ctx),
        models=[
            ModelLine(r["name"], r["version"], r["licence"], r["origin"])
            for r in models.iter_rows(named=True)
        ],
    )


def _write(ctx: Context, summary: Summary) -> str:
    rows = _pairs_to_show(ctx)
    with ctx.stats.work("report"), page(ctx) as report:  # mostly its previews
        write_report(
            report,
            [from_row(Pair, row) for row in rows.iter_rows(named=True)],
            ctx.catalog.path,
            dataclasses.replace(
                with_stages_failures_and_models(ctx, summary),
                thresholds=threshold_lines(ctx.catalog.policy),
            ),
            cache=ctx.workspace / "previews",
        )
    return report_uri(ctx)


def totals(ctx: Context, tasks: Sequence[TaskLine]) -> dict[str, Any]:
    """What the build came to, in numbers."""
    return {
        "sources": count(ctx, "sources"),
        "clips": count(ctx, "clips"),
        "tracks": count(ctx, "tracks"),
        "planned": sum(line.planned for line in tasks),
        "made": sum(line.made for line in tasks),
        "kept": sum(line.kept for line in tasks),
        "failures": count(ctx, "failures"),
        "wall_seconds": round(ctx.stats.wall_seconds(), 1),
        "peak_memory_mb": round(ctx.stats.peak_memory_mb),
        "orchestration_share": round(ctx.stats.orchestration_share(), 4),
        "finished_at": _now(),
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _pairs_to_show(ctx: Context) -> pl.DataFrame:
    """An equal share of each task, at most REPORT_PAIRS in all, by their ids: those are looked at
    first, since all rows would take memory that grows with the build."""
    pairs = ctx.catalog.pairs()
    ids = pairs.select("task", "pair_id").collect()
    share = pl.int_range(pl.len()).over("task") < REPORT_PAIRS // max(ids["task"].n_unique(), 1)
    shown = ids.sort("task", "pair_id").filter(share)["pair_id"]
    return pairs.filter(pl.col("pair_id").is_in(shown.implode())).sort("task", "pair_id").collect()


def count(ctx: Context, table: str) -> int:
    """How many rows a table has."""
    return int(ctx.catalog.table(table).select(pl.len()).collect().item())


def instruction_notes(ctx: Context) -> list[str]:
    """Who wrote the phrasings, and how varied they are; nothing where there are none."""
    columns = ctx.catalog.pairs().select("phrasings", "phrasings_by").drop_nulls().collect()
    texts = [text for row in columns["phrasings"] for text in row]
    if not texts:
        return []
    by_model = sum(by == "model" for row in columns["phrasings_by"] for by in row) / len(texts)
    words, pairs = (f"{distinct(texts, n):.0%}" for n in (1, 2))
    return [
        f"Instructions: {len(texts) / len(columns):.1f} phrasings per pair, {by_model:.0%} by the "
        f"model, the others by templates; {words} of their words and {pairs} of their word pairs "
        "are distinct."
    ]


def unplanned_notes(recipe: Recipe, tasks: Sequence[TaskLine]) -> list[str]:
    """The tasks that have a weight in the recipe and no edit in `tasks`; nothing where all have."""
    planned = {line.task for line in tasks}
    weights = recipe.plan.weights
    without = [name for name, weight in weights.items() if weight and name not in planned]
    if not without:
        return []
    note = (
        f"Planned for no clip: {', '.join(without)}. No object suited, or others were drawn; more "
        "clips help, or more `plan.edits_per_clip`"
    )
    if any(TASKS[name].needs_track for name in without):
        note += "; `editmill objects` says what keeps objects from suiting"
    if recipe.plan.local_share and not all(TASKS[name].needs_track for name in without):
        note += "; for edits of the whole picture also a lower `plan.local_share`"
    return [f"{note} (docs/tasks.md)."]


def off_notes(recipe: Recipe) -> list[str]:
    """Tasks that the recipe names and leaves off because their model is the user's to choose."""
    given = recipe.plan.weights
    off = [t for t in TASKS.values() if t.checkpoint and t.name in given and not given[t.name]]
    if not off or recipe.models.depth is not None:
        return []
    names = " and ".join(task.name for task in off)
    return [
        f"Off: {names}; no registry carries a model good enough for a dataset. To turn them on, "
        "add `models: {depth: depth_anything}` to the recipe and give them weights (docs/tasks.md)."
    ]


def filter_notes(ctx: Context) -> list[str]:
    """What each filter was measured to be worth, one line each."""
    filters = filters_for(ctx.recipe.filters, chosen(ctx.recipe.models.encode), ctx.catalog)
    notes = uncalibrated(filters)
    for each in filters:
        if isinstance(each, QualityFilter) and each.metrics:
            notes.append(
                f"Quality filter: AUC {each.metrics['auc']:.3f} on clips it never saw, "
                f"{each.metrics['auc_unseen_sources']:.3f} on sources it never saw."
            )
        if isinstance(each, AlignmentFilter):
            measured = sorted(each.calibrations().items())
            values = ", ".join(
                f"{task} {found.auc:.3f}" + (" (abstains)" if found.auc < ABSTAIN_BELOW else "")
                for task, found in measured
                if ctx.recipe.plan.weights.get(task)
            )
            if values:
                notes.append(f"Alignment, AUC of matched against swapped prompts: {values}.")
    return notes
