"""A dictionary that lies on disk."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Mapping

AT_ONCE = 500
"""Names of one statement; SQLite takes 999 at least."""


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
                self._rows = sqlite3.connect("", isolation_level=None, check_same_thread=False)
                self._rows.execute("create table entries (name blob primary key, value integer)")
            self._rows.execute("begin")
            self._rows.executemany(
                "insert or replace into entries values (?, ?)",
                [(_bytes(name), value) for name, value in entries.items()],
            )
            self._rows.execute("commit")

    def some(self, names: Collection[str]) -> dict[str, int]:
        """The entries of these names that are there."""
        found: dict[str, int] = {}
        listed = [_bytes(name) for name in names]
        for start in range(0, len(listed), AT_ONCE):
            asked = listed[start : start + AT_ONCE]
            places = ",".join("?" * len(asked))
            found.update(
                self._select(f"select name, value from entries where name in ({places})", asked)
            )
        return found

    def items(self) -> list[tuple[str, int]]:
        """All entries; in memory, so for the end of a build."""
        return self._select("select name, value from entries", ())

    def clear(self) -> None:
        """As `dict.clear`."""
        with self._lock:
            if self._rows is not None:
                self._rows.execute("delete from entries")

    def _select(self, query: str, values: Collection[bytes]) -> list[tuple[str, int]]:
        with self._lock:
            if self._rows is None:
                return []
            found = self._rows.execute(query, tuple(values)).fetchall()
        return [(name.decode("utf-8", "surrogatepass"), value) for name, value in found]


def _bytes(name: str) -> bytes:
    """A file's name may hold half a character, which SQLite takes for no text."""
    return name.encode("utf-8", "surrogatepass")
