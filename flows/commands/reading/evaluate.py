"""`editmill evaluate`: how good the kept pairs of a catalog are, or one pair, beside the papers."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console, Group
from rich.progress import track
from rich.table import Table
from rich.text import Text

import catalog
from catalog import media
from catalog.errors import BadInput, EditmillError
from catalog.keeping.erased import kept_path
from catalog.media import sides
from catalog.query import Queries
from experts.annotate import given_masks
from experts.annotate.motion.flow import FlowEstimator
from experts.edit.tasks import TASKS, task_named
from experts.providers import chosen
from experts.providers.models import Models
from experts.weights import entry
from filters.encoder.clip import OpenClipEncoder
from filters.metrics import METRICS
from filters.metrics.lpips import SLOT
from filters.metrics.openclip import VARIABLE, OpenClip
from filters.metrics.pair import LONG_SIDE, Instruments, MaskReader, PairMetrics, Subject, measure
from filters.metrics.published import beside
from filters.metrics.similarity import ImageTextEncoder
from filters.metrics.standin import StandIn
from flows.recipe import load

COLUMNS = ["pair_id", "task", "source_video", "target_video", "mask", "target_prompt",
           "generated_side"]  # fmt: skip

PAGE = "docs/evaluate.md"


@dataclass(slots=True)
class EvaluationReport:
    """What was measured: one row per pair, and the failures (pair → what is wrong with it)."""

    encoder: ImageTextEncoder
    pairs: list[tuple[str, Subject, PairMetrics]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def tasks(self) -> list[str]:
        """Those that were measured, in the registry's order; "" is a pair of no known task."""
        met = {subject.task for _, subject, _ in self.pairs}
        return [task for task in (*TASKS, "") if task in met]

    def document(self) -> dict[str, Any]:
        """Everything, JSON-able."""
        return {
            "encoder": {
                "name": self.encoder.name,
                "version": self.encoder.version,
                "is_clip": self.encoder.is_clip,
            },
            "lpips": entry(SLOT).sha256[:8],
            "long_side": LONG_SIDE,
            "tasks": {task or "edit": self.summary(task) for task in self.tasks()},
            "pairs": [
                {"pair_id": name, "task": subject.task, "made_side": subject.made}
                | asdict(measured)
                for name, subject, measured in self.pairs
            ],
            "failures": self.failures,
        }

    def summary(self, task: str) -> dict[str, dict[str, Any]]:
        """Per metric its mean over the task's pairs, over how many, or the reason for none."""
        of_task = [(subject, m) for _, subject, m in self.pairs if subject.task == task]
        made = of_task[0][0].made
        rows: dict[str, dict[str, Any]] = {}
        for name, metric in METRICS.items():
            known = [m.values[name] for _, m in of_task if m.values[name] is not None]
            reasons = Counter(m.reasons[name] for _, m in of_task if name in m.reasons)
            by_clip = self.encoder.is_clip or not metric.by_encoder
            rows[name] = {
                "mean": sum(known) / len(known) if known else None,  # type: ignore[arg-type]
                "pairs": len(known),
                "reason": "" if known else reasons.most_common(1)[0][0],
                "published": beside(task, name, by_clip=by_clip, made=made),
            }
        return rows


def evaluate_catalog(
    root: str | Path,
    *,
    ref: str = "main",
    task: str | None = None,
    clip: str = "",
    limit: int = 0,
    recipe: str = "",
) -> EvaluationReport:
    """Every kept pair at `ref`, or those of one task; `limit` pairs per task at most, if not 0. By
    the CLIP and the optical flow of `recipe`, if one is named; `clip` counts before its.

    A pair that cannot be measured is among the report's failures. Raises EditmillError for a
    catalog that cannot be opened, an unknown task, no kept pairs, or an encoder that is not there.
    """
    if task is not None:
        task_named(task)
    opened = catalog.open(root, ref=ref)
    rows = opened.pairs().filter(pl.col("keep")).select(COLUMNS).sort("task", "pair_id")
    if task is not None:
        rows = rows.filter(pl.col("task") == task)
    if limit:
        rows = rows.group_by("task", maintain_order=True).head(limit)
    found = rows.collect().to_dicts()
    if not found:
        of = f" of {task}" if task else ""
        raise EditmillError(f"{root}: has no kept pairs{of} at {ref}; build some first")
    tools = _instruments(clip, recipe)
    report = EvaluationReport(tools.encoder)
    progress = Console(stderr=True)
    for row in track(found, "measuring", console=progress, transient=True):
        try:
            subject = _subject(opened, row)
            report.pairs.append((row["pair_id"], subject, measure(subject, tools)))
        except BadInput as error:
            report.failures[row["pair_id"]] = str(error)
    if not report.pairs:
        raise EditmillError(
            f"{root}: none of its {len(found)} kept pairs can be measured; the first: "
            f"{next(iter(report.failures.values()))}"
        )
    return report


def evaluate_pair(
    source: Path,
    target: Path,
    *,
    mask: str | None = None,
    prompt: str = "",
    task: str | None = None,
    clip: str = "",
    recipe: str = "",
) -> EvaluationReport:
    """One pair of videos; the target is the edit. Raises EditmillError, one line."""
    if task is not None:
        task_named(task)
    reader = None
    if mask is not None:
        reader = partial(_given, mask)
    subject = Subject(source, target, task or "", "target", prompt, reader)
    sides.probe(source, target)  # before any weight is opened
    tools = _instruments(clip, recipe)
    report = EvaluationReport(tools.encoder)
    report.pairs.append((target.name, subject, measure(subject, tools)))
    return report


def _instruments(clip: str, recipe: str) -> Instruments:
    models = load(recipe).models if recipe else Models()
    where = clip or _clip_of(models) or os.environ.get(VARIABLE, "")
    flow: FlowEstimator = chosen(models.flow)
    tools = Instruments(OpenClip(where) if where else StandIn(), flow)
    tools.load()
    return tools


def _clip_of(models: Models) -> str:
    """The checkpoint of a recipe's CLIP; empty where it encodes by something else."""
    encoder = chosen(models.encode)
    return encoder.checkpoint if isinstance(encoder, OpenClipEncoder) else ""


def _subject(opened: Queries, row: dict[str, Any]) -> Subject:
    path = kept_path(opened.media)
    reader = partial(_stored, path(row["mask"])) if row["mask"] else None
    return Subject(
        path(row["source_video"]),
        path(row["target_video"]),
        row["task"],
        row["generated_side"],
        row["target_prompt"],
        reader,
    )


def _stored(path: Path, frames: int, height: int, width: int) -> MaskReader:
    held = media.probe(path).frames
    if held < frames:
        raise BadInput("mask_length", f"{path}: {held} masks for {frames} frames; build it again")
    return lambda first, count: media.read_masks(path, first, count, (height, width))


def _given(where: str, frames: int, height: int, width: int) -> MaskReader:
    masks = given_masks.read(where, frames, height, width)
    return lambda first, count: masks[first : first + count]


def show(report: EvaluationReport, console: Console | None = None) -> None:
    """The tables, one per task, and what their figures may be compared with."""
    console = console or Console()
    for task in report.tasks():
        console.print(_table(report, task))
    for name, what in list(report.failures.items())[:5]:
        console.print(f"not measured: {name}: {what}", markup=False, highlight=False)
    if len(report.failures) > 5:
        console.print(f"… and {len(report.failures) - 5} more; --json names them")
    lines = ["", f"At {LONG_SIDE} px or less; what compares with what: {PAGE}."]
    if not report.encoder.is_clip:
        lines.append(
            f"Stand-in: {report.encoder.name} in a CLIP's place, on a scale of its own; "
            f"for a CLIP name a checkpoint with --clip or {VARIABLE}."
        )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _table(report: EvaluationReport, task: str) -> Group:
    """The task's measured figures, then what was not measured, reason by reason."""
    measured = [subject for _, subject, _ in report.pairs if subject.task == task]
    side = f", made side: {measured[0].made}" if task else ""
    count = f"{len(measured)} pair{'s' if len(measured) > 1 else ''}"
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("metric", no_wrap=True)
    table.add_column("mean", justify="right", no_wrap=True)
    table.add_column("pairs", justify="right", no_wrap=True)
    table.add_column("published")
    without: dict[str, list[str]] = {}
    for name, row in report.summary(task).items():
        metric = METRICS[name]
        if row["mean"] is None:
            without.setdefault(row["reason"], []).append(metric.label)
            continue
        arrow = "↑" if metric.better == "higher" else "↓"
        stand_in = metric.by_encoder and not report.encoder.is_clip
        label = f"{metric.label}{' (stand-in)' if stand_in else ''} {arrow}"
        mean = f"{row['mean']:.{metric.digits}f}" + (f" {metric.unit}" if metric.unit else "")
        papers = ", ".join(f"{v:.{metric.digits}f} {who}" for who, v in row["published"].items())
        table.add_row(label, mean, str(row["pairs"]), papers)
    notes = [
        Text(f"not measured, {reason}: {', '.join(labels)}", style="dim")
        for reason, labels in without.items()
    ]
    title = Text(f"\n{task or 'edit'} ({count}{side})", style="bold")
    return Group(title, *([table] if table.row_count else []), *notes)
