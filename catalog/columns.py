"""What is said to whoever named a column that a table has not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

NEAR = 3
"""Columns that are proposed for a name, at most."""


def meant(unknown: Iterable[str], tables: Mapping[str, Sequence[str]]) -> str:
    """The columns (by table) that are called most like the unknown names, and how to see all:
    `did you mean task? all columns of pairs: editmill query …`."""
    there = [column for columns in tables.values() for column in columns]
    near = [n for name in unknown for n in difflib.get_close_matches(name.lower(), there, NEAR)]
    proposed = f"did you mean {' or '.join(dict.fromkeys(near))}? " if near else ""
    shown = ", ".join(f'editmill query "select * from {table} limit 1" --json' for table in tables)
    return f"{proposed}all columns of {' and '.join(tables)}: {shown}"
