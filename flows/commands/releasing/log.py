"""What happened to a catalog, the newest first: `editmill log`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

import catalog
from catalog.releases import Catalog
from catalog.storage.location import Versioned

TABLES = ("pairs", "local_edits")
"""Whose commits are told where the storage itself has none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened."""

    at: str  # ISO 8601, UTC
    what: str
    details: dict[str, Any]


def entries(dataset: Catalog, limit: int) -> list[Entry]:
    """Releases, and the commits between them: the storage's own on lakeFS, elsewhere those of the
    tables that hold the product."""
    found = [
        Entry(_second(release.created_at), f"release {release.tag}", _of_release(release.counts))
        for release in dataset.releases()
    ]
    storage = dataset.storage
    if isinstance(storage, Versioned):
        found += [
            Entry(_iso(commit.created), commit.message, _own(commit.metadata))
            for commit in storage.log(limit)
            if "release" not in commit.metadata  # told above
        ]
    else:
        found += [
            Entry(
                _iso(at),
                f"{table}: {done}",
                ({"rows": rows} if rows else {}) | {"version": version},
            )
            for table in TABLES
            for version, at, done, rows in dataset.tables.history(table, limit)
        ]
    return sorted(found, key=lambda entry: entry.at, reverse=True)[:limit]


def show(root: str, limit: int, as_json: bool) -> None:
    """Prints the entries as a table or as JSON."""
    found = entries(catalog.open(root), limit)
    if as_json:
        print(json.dumps([dataclasses.asdict(entry) for entry in found]))
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("when", "what", ""):
        table.add_column(heading, overflow="fold")
    for entry in found:
        details = ", ".join(f"{name} {value}" for name, value in entry.details.items())
        table.add_row(entry.at, entry.what, details)
    Console().print(table)


def _own(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Without what lakeFS adds."""
    return {name: value for name, value in metadata.items() if not name.startswith(".lakefs")}


def _of_release(counts: dict[str, Any]) -> dict[str, Any]:
    if not counts:  # of a catalog of format 1
        return {}
    tasks = counts.get("tasks", {}).values()
    return {"kept": sum(t["kept"] for t in tasks), "made": sum(t["made"] for t in tasks)}


def _second(created_at: str) -> str:
    """To the second, as the other entries; a release made by hand may say anything."""
    return f"{created_at[:19]}+00:00" if len(created_at) > 19 else created_at


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
