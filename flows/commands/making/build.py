"""`editmill build`: set up, run the flow, publish, and say what came out."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from catalog.releases import MAIN
from flows.commands import tables
from flows.commands.importing import importing
from flows.release.outcome import Outcome
from flows.request import finished, request
from flows.runtime.context import Stopped, context
from flows.runtime.monitoring import logs
from flows.runtime.monitoring.progress import live

QUESTIONS = {
    "pairs": "select task, instruction from pairs where keep",
    "local_edits": "select task, subset, caption_medium from local_edits",
}
"""A first question about each product."""

FAILED = "select reason, record, message from failures"
"""What says why records could not be made."""


def main(
    recipe_name: str,
    out: str,
    *,
    source: Path | None,
    tag: str | None,
    server: str | None,
    as_json: bool,
) -> int:
    """Runs the command; returns the exit code. EditmillError passes through."""
    console = tables.console(stderr=as_json)
    asked = request(recipe_name, out, source=source, tag=tag, server=server)
    ctx = context(out, asked.recipe, recipe_name)
    if (done := finished(ctx, asked)) is not None:
        _show(console, done, as_json, "Nothing was left to do: this dataset is built.")
        return 0
    ctx.readiness.of_new(ctx.catalog)
    # Imported late: this takes seconds, and a finished build needs none of it. The server starts
    # beside the other imports.
    console.print(f"Starting to build {asked.recipe.name} in {out} …", highlight=False)
    with importing():
        from flows.runtime.orchestration.server import OrchestrationServer

        to = OrchestrationServer(asked.recipe.run.server)
        from flows import build

    logs.say(asked.recipe.run.log)
    try:
        with live(ctx.stats, console, ctx.stop):
            connection = to.connect(ctx.stop, lambda line: console.print(line, highlight=False))
            outcome = build.run(ctx, asked, connection)
    except Stopped:
        console.print(
            "Stopped. Everything finished so far is kept; run the same command to continue."
        )
        return 128 + ctx.stopped_by
    _show(console, outcome, as_json, "")
    return 0


def _show(console: Console, outcome: Outcome, as_json: bool, headline: str) -> None:
    if as_json:
        print(json.dumps(dataclasses.asdict(outcome)))
        return
    console.print(_task_table(outcome.tasks))
    console.print(_stage_table(outcome.stages))
    totals = outcome.totals
    console.print(outcome.totals_line(), highlight=False)
    for note in outcome.notes:
        console.print(note, highlight=False, markup=False)
    if not totals["made"]:
        headline = f"Nothing was made, so nothing was released. {outcome.why_nothing()}"
    elif outcome.unchanged:
        headline = headline or f"No pair or record changed: {outcome.release} is still the release."
    if headline:
        console.print(f"[bold]{headline}[/bold]")
    named = f"release {outcome.release}" if outcome.release else "no release"
    # A release that stayed may not have this build's failures.
    ref = MAIN if outcome.unchanged else outcome.release or MAIN
    where = f"--catalog {outcome.catalog} --ref {ref}"
    lines = [
        f"catalog  {outcome.catalog} ({named})",
        f"report   {outcome.report}",
    ]
    if totals["failures"]:
        lines.append(f'failures editmill query "{FAILED}" {where}')
    if totals["made"]:
        lines.append(f'next     editmill query "{QUESTIONS[outcome.product]}" {where}')
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _task_table(tasks: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("task")
    for heading in ("planned", "made", "kept"):
        table.add_column(heading, justify="right")
    table.add_column("rejected, or refused unmade, by reason")
    for line in tasks:
        reasons = ", ".join(f"{reason} {n}" for reason, n in line["rejected"].items())
        table.add_row(
            line["task"], str(line["planned"]), str(line["made"]), str(line["kept"]), reasons
        )
    return table


def _stage_table(stages: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("stage")
    for heading in ("records", "reused", "failed", "seconds", "peak MB"):
        table.add_column(heading, justify="right")
    for line in stages:
        table.add_row(
            line["stage"],
            str(line["records"]),
            str(line["reused"]),
            str(line["failed"]),
            f"{line['seconds']:.1f}",
            f"{line['peak_memory_mb']:.0f}",
        )
    return table
