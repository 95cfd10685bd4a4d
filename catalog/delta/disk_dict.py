"""A dictionary that lies on disk."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping

from catalog.delta.scratch import scratch_tables, written

_TABLE = "create table entries (name blob primary key, value integer)"


class DiskDict:
    """Integers (64 bits, signed) by name, in a temporary file of SQLite's, which goes with the
    object: any number of entries costs 2 MB of memory at most. Safe under threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: sqlite3.Connection | None = None  # most are never written to

    def update(self, entries: Mapping[str, int]) -> None:
        """As `dict.update`."""
        with self._lock:
            if self._rows is None:
                self._rows = scratch_tables(_TABLE)
            with written(self._rows):
                self._rows.executemany(
                    "insert or replace into entries values (?, ?)",
                    [(_bytes(name), value) for name, value in entries.items()],
                )

    def items(self) -> list[tuple[str, int]]:
        """All entries; in memory, so for the end of a build."""
        with self._lock:
            if self._rows is None:
                return []
            found = self._rows.execute("select name, value from entries").fetchall()
        return [(name.decode("utf-8", "surrogatepass"), value) for name, value in found]


def _bytes(name: str) -> bytes:
    """A file's name may hold half a character, which SQLite takes for no text."""
    return name.encode("utf-8", "surrogatepass")
