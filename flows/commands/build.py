"""`editmill build`: set up, run the flow, publish, and say what came out."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import flows
from catalog.keys import digest, file_digest
from experts import serving as makes
from experts.edit.tasks import TASKS, expert_for
from flows.recipe import FolderSources, Recipe, load
from flows.release.outcome import Outcome
from flows.runtime.context import Context, Stopped, context
from flows.runtime.progress import live
from flows.sources import Listing, SourceFile, listing

STAGE = "build"
PRODUCTS = {
    "pairs": ("pairs", "select task, instruction from pairs where keep"),
    "local_edits": ("records", "select task, subset, caption_medium from local_edits"),
}
"""What a product's rows are called, and a first question about them."""


def main(
    recipe_name: str,
    out: Path,
    *,
    source: Path | None,
    tag: str | None,
    server: str | None,
    as_json: bool,
) -> int:
    """Runs the command; returns the exit code. EditmillError passes through."""
    console = Console(stderr=as_json)
    recipe = load(recipe_name)
    if source is not None:
        given = (FolderSources(kind="folder", path=source),)
        recipe = recipe.model_copy(update={"sources": given})
    if server is not None:
        run = recipe.run.model_copy(update={"server": server})
        recipe = recipe.model_copy(update={"run": run})
    recipe = makes.pinned(recipe, out)
    sources = listing(recipe)
    # Before there is a catalog: a checkpoint may lack.
    fingerprint = _fingerprint(recipe, sources, tag)
    ctx = context(out, recipe)
    finished = ctx.catalog.products.get(STAGE, fingerprint)
    if finished is not None and _stands(ctx, finished):
        outcome = _with_notes(Outcome(**finished), sources)
        _show(console, outcome, as_json, "Nothing was left to do: this dataset is built.")
        return 0
    try:
        outcome = _build(ctx, console, tag)
    except Stopped:
        console.print(
            "Stopped. Everything finished so far is kept; run the same command to continue."
        )
        return 128 + ctx.stopped_by
    if not ctx.worth_retrying:
        ctx.catalog.products.put(STAGE, fingerprint, dataclasses.asdict(outcome))
    _show(console, _with_notes(outcome, sources), as_json, "")
    return 0


def _stands(ctx: Context, finished: dict[str, Any]) -> bool:
    """Whether what a build came to is still there: whoever removed the tables wants them back."""
    released = any(release.tag == finished["release"] for release in ctx.catalog.releases())
    return released and Path(finished["report"]).is_file()


def _build(ctx: Context, console: Console, tag: str | None) -> Outcome:
    # Imported late: this takes seconds, and a finished build needs none of it.
    from flows.runtime.server import Server

    server = Server(ctx.recipe.run.server)
    from flows import build
    from flows.release import local_edits as publish_local
    from flows.release import pairs as publish

    product = publish if ctx.recipe.records is None else publish_local
    with live(ctx.stats, console):
        connection = server.connect(ctx.stop, lambda line: console.print(line, highlight=False))
        build.run_flow(ctx, connection)
        return product.publish(ctx, tag)


def _fingerprint(recipe: Recipe, sources: Listing, tag: str | None) -> str:
    """All a build depends on: its recipe, its sources as they lie there now, checkpoints and models
    of the user's, and the code. Raises EditmillError where a checkpoint cannot be had."""
    files = [_state(file) for file in sources.files]
    own = [m for m in (recipe.filters.quality_model, recipe.filters.style_probes) if m is not None]
    models = [_checkpoints(recipe), [file_digest(model) for model in own]]
    return digest(recipe.decisions(), files, tag or "", _code_digest(), models)


def _state(file: SourceFile) -> tuple[str | int, ...]:
    if file.refusal is not None:
        return file.name, file.refusal.reason
    try:
        stat = file.path.stat()
    except OSError as error:  # gone since it was listed, or in a folder nobody may enter
        return file.name, type(error).__name__
    return file.name, file.uri, file.licence, stat.st_size, stat.st_mtime_ns


def _with_notes(outcome: Outcome, sources: Listing) -> Outcome:
    """The outcome that also says what lay among the sources and was left out."""
    return dataclasses.replace(outcome, notes=[*outcome.notes, *sources.notes])


def _checkpoints(recipe: Recipe) -> dict[str, str]:
    """Version of each expert in use whose weights are the user's."""
    return {
        task: expert_for(task).version
        for task, weight in recipe.plan.weights.items()
        if weight and TASKS[task].checkpoint
    }


def _code_digest() -> str:
    rooms = [
        Path(flows.__file__).parent.parent / room
        for room in ("catalog", "experts", "filters", "flows")
    ]
    kinds = {".py", ".toml", ".yaml", ".j2", ".safetensors"}
    files = sorted(p for room in rooms for p in room.rglob("*") if p.suffix in kinds)
    return digest([(p.name, file_digest(p)) for p in files])


def _show(console: Console, outcome: Outcome, as_json: bool, headline: str) -> None:
    if as_json:
        print(json.dumps(dataclasses.asdict(outcome)))
        return
    console.print(_task_table(outcome.tasks))
    console.print(_stage_table(outcome.stages))
    totals = outcome.totals
    what, asked = PRODUCTS[outcome.product]
    console.print(
        f"{totals['kept']} {what} kept of {totals['made']} made, from {totals['clips']} clips of "
        f"{totals['sources']} sources; {totals['failures']} failures. "
        f"{totals['wall_seconds'] / 60:.1f} minutes, {totals['peak_memory_mb'] / 1024:.1f} GiB at "
        f"most, orchestration {totals['orchestration_share']:.1%}.",
        highlight=False,
    )
    for note in outcome.notes:
        console.print(note, highlight=False, markup=False)
    if headline:
        console.print(f"[bold]{headline}[/bold]")
    for line in (
        f"catalog  {outcome.catalog} (release {outcome.release})",
        f"report   {outcome.report}",
        f'next     editmill query "{asked}" --catalog {outcome.catalog} --ref {outcome.release}',
    ):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _task_table(tasks: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("task")
    for heading in ("planned", "made", "kept"):
        table.add_column(heading, justify="right")
    table.add_column("rejected by reason")
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
