"""The releases of a catalog: `editmill releases`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

import catalog
from catalog.errors import EditmillError, visible
from catalog.records import Release
from catalog.report.release_card import release_card
from flows.commands import tables


def release_rows(root: str | Path) -> list[dict[str, Any]]:
    """One row a release, the oldest first: `tag`, `created_at`, the `recipe`'s name, and how many
    pairs and local edits it holds; `made` counts the rejected too.

    Raises EditmillError where there is no catalog.
    """
    return [_row(root, release) for release in catalog.open(root).releases()]


def _row(root: str | Path, release: Release) -> dict[str, Any]:
    counts = release.counts or catalog.open(root, ref=release.tag).counts()  # format 1 has none
    tasks = counts["tasks"].values()
    return {
        "tag": release.tag,
        "created_at": release.created_at,
        "recipe": recipe_name(release.recipe),
        "kept": sum(task["kept"] for task in tasks),
        "made": sum(task["made"] for task in tasks),
        "local_edits": counts["tables"].get("local_edits", 0),
        "notes": release.notes,
    }


def recipe_name(text: str) -> str:
    """The name in a release's recipe."""
    try:
        return str(json.loads(text).get("name", ""))
    except (ValueError, AttributeError):  # released by hand, under some other description
        return text


def show_card(root: str | Path, tag: str) -> None:
    """Prints the data card of a release. Raises EditmillError where there is no such release."""
    held = catalog.open(root, ref=tag)
    release = held.released
    if release is None:
        raise EditmillError(f"{tag}: is no release; the releases have cards, main has none")
    print(visible(release_card(held, release), keep="\n"), end="")


def show(root: str | Path, as_json: bool) -> None:
    """Prints the releases as a table or as JSON."""
    rows = release_rows(root)
    if as_json:
        print(json.dumps(rows))
        return
    console = tables.console()
    if not rows:
        console.print(
            f"{root}: no release yet; a build that ends makes one: editmill build … --out {root}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    columns = {"tag": "tag", "created_at": "created", "recipe": "recipe", "kept": "pairs kept",
               "made": "made", "local_edits": "local edits", "notes": "notes"}  # fmt: skip
    used = [name for name in columns if name == "tag" or any(row[name] for row in rows)]
    for name in used:
        numeric = isinstance(rows[0][name], int)
        table.add_column(
            columns[name],
            justify="right" if numeric else "left",
            no_wrap=name in ("tag", "created_at"),
        )
    for row in rows:
        shown = {**row, "created_at": row["created_at"][:19]}
        table.add_row(*(escape(visible(str(shown[name]))) for name in used))
    tables.print_table(console, table)
