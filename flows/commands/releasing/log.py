"""What happened to a catalog, the newest first: `editmill log`. The same on all storages."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape
from rich.table import Table

from catalog.errors import one_line
from catalog.keeping.forget import Forgotten, noted
from catalog.layout import format_of, releases_in
from catalog.records import Release
from catalog.storage import open_storage
from catalog.storage.location import Storage
from flows.commands.releasing.releases import recipe_name
from flows.commands.tables import console, print_table
from flows.runtime.monitoring.past_builds import ended_builds
from flows.runtime.monitoring.status import Status


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One thing that happened: a build that ended, a release, a source that was forgotten."""

    at: str  # ISO 8601, UTC
    what: str
    details: dict[str, Any]


def entries(storage: Storage) -> list[LogEntry]:
    """All that happened, the oldest first: by the time that was noted, but releases in the order in
    which they were made, also where a clock was set back.

    Raises EditmillError where there is no catalog.
    """
    found = [
        *((_iso(status.updated_at), 0, _of_build(status)) for status in ended_builds(storage)),
        *((each.at, 2, _of_forgotten(each)) for each in noted(storage) if each.at),
    ]
    latest = ""
    for release in releases_in(storage, format_of(storage)):
        latest = max(latest, _second(release.created_at))
        found.append((latest, 1, _of_release(release)))
    return [entry for _, _, entry in sorted(found, key=lambda each: each[:2])]


def show(root: str, limit: int, as_json: bool) -> None:
    """Prints the last `limit` entries, the newest first, as a table or as JSON."""
    found = entries(open_storage(root))[::-1][:limit]
    if as_json:
        print(json.dumps([dataclasses.asdict(entry) for entry in found]))
        return
    if not found:
        print("Nothing has happened yet: no build has ended here.")
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("when", no_wrap=True)
    for heading in ("what", ""):
        table.add_column(heading, overflow="fold")
    for entry in found:
        table.add_row(entry.at[:19].replace("T", " "), entry.what, escape(said(entry)))
    print_table(console(), table)


def said(entry: LogEntry) -> str:
    """The details for a person."""
    return one_line(", ".join(f"{n.replace('_', ' ')} {v}" for n, v in entry.details.items() if v))


def _of_build(status: Status) -> LogEntry:
    what = f"build {status.state}"
    if status.release:
        what += f" with release {status.release}"
    details = {"recipe": status.recipe, "kept": status.kept, "made": status.made}
    if status.message:
        details["because"] = status.message
    return LogEntry(_iso(status.updated_at), what, details)


def _of_release(release: Release) -> LogEntry:
    details: dict[str, Any] = {"recipe": recipe_name(release.recipe)}
    if release.counts:  # a catalog of format 1 has none
        tasks = release.counts.get("tasks", {}).values()
        details |= {"kept": sum(t["kept"] for t in tasks), "made": sum(t["made"] for t in tasks)}
        details["local_edits"] = release.counts.get("tables", {}).get("local_edits", 0)
    details["notes"] = release.notes
    return LogEntry(_second(release.created_at), f"release {release.tag}", details)


def _of_forgotten(source: Forgotten) -> LogEntry:
    name = source.names[0] if source.names else source.source_id[:12]
    details = {"source": source.source_id[:12], "clips": len(source.clips)}
    what = "erased" if source.erased else "forgot"
    return LogEntry(source.at, f"{what} {name}", details)


def _second(created_at: str) -> str:
    """To the second, as the other entries; a release made by hand may say anything."""
    return f"{created_at[:19]}+00:00" if len(created_at) > 19 else created_at


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
