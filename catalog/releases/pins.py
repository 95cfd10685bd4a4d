"""The newest version of each table that a release of a selection holds, noted beside the selection.

So whoever opens a catalog sees, without reading a release, that its tables are not behind them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from catalog.delta.integrity import newest
from catalog.layout import Selection, document, releases_in
from catalog.records import Release
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage
from catalog.storage.parallel import every
from catalog.tables import place_of


def note(storage: Storage, selection: Selection, release: Release) -> None:
    """Note what the new release holds, too. What is noted and no longer there was held by releases
    that somebody removed: then those that are left are read."""
    if not selection.name:
        return
    noted = document(storage, selection.held)
    held = [release.tables]
    if noted is not None and all_there(storage, selection, noted):
        held.append(noted)
    else:
        others = releases_in(storage)
        held += [each.tables for each in others if each.selection == selection.name]
    pins: dict[str, int] = {}
    for tables in held:
        for table, version in tables.items():
            pins[table] = max(version, pins.get(table, version))
    storage.write(selection.held, json.dumps(pins, sort_keys=True).encode())


def all_there(storage: Storage, selection: Selection, noted: Mapping[str, Any]) -> bool:
    """Whether the tables have these versions."""

    def reaches(table: str) -> bool:
        if not isinstance(storage, FolderStorage):
            return storage.exists(commit_key(selection.name, table, noted[table]))
        last = newest(storage.root / "tables" / place_of(selection.name, table))
        return last is not None and last >= noted[table]

    return all(isinstance(v, int) for v in noted.values()) and all(every(storage, reaches, noted))


def commit_key(selection: str, table: str, version: int) -> str:
    """Of the commit that made this version of a selection's table."""
    return f"tables/{place_of(selection, table)}/_delta_log/{version:020}.json"
