"""Tables of SQLite's in a temporary file, which goes with its connection: what a build holds of any
number of clips without room for them in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from catalog.storage.files import temporary_unwritable


def scratch_tables(statements: str) -> sqlite3.Connection:
    """The tables that these statements create. Each thread takes its turn, if there are several."""
    rows = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    rows.executescript(statements)
    return rows


@contextmanager
def written(rows: sqlite3.Connection) -> Iterator[None]:
    """What is executed meanwhile is written at once, and much faster. Raises EditmillError, in one
    line, where the disk is full."""
    rows.execute("begin")
    try:
        yield
        rows.execute("commit")
    except sqlite3.OperationalError as error:
        raise temporary_unwritable(error, "SQLITE_TMPDIR") from None
