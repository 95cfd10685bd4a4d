"""What the commits of a Delta table did to its data files, read from the log one by one.

Data files never change: a commit adds some and removes others. Which ones differ between two
versions is told by the commits between them, however large the table is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import unquote

from catalog.storage.location import Storage
from catalog.storage.parallel import every

KEEPS_ROWS = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END"})
"""Operations that move a table's version, but no row."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The name of its operation, and the data files that it adds and removes."""

    operation: str = ""
    added: dict[str, int] = field(default_factory=dict)  # bytes by name
    removed: dict[str, int] = field(default_factory=dict)


def read(storage: Storage, table: str, version: int) -> Commit | None:
    """The commit that made this version of the table at the key `table`; None where it is gone or
    damaged."""
    data = storage.read(f"{table}/_delta_log/{version:020}.json")
    if not data:
        return None
    actions: dict[str, list[Any]] = {"commitInfo": [], "add": [], "remove": []}
    try:
        for line in data.splitlines():
            if not line.startswith(b'{"txn"'):  # of which there is one a part
                for kind, action in json.loads(line).items():
                    actions.get(kind, []).append(action)
        added, removed = (
            {unquote(file["path"]): int(file["size"]) for file in actions[kind]}
            for kind in ("add", "remove")
        )
        operation = "".join(each.get("operation", "") for each in actions["commitInfo"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Commit(operation, added, removed)


def last_change(storage: Storage, table: str, version: int) -> int:
    """The last version up to this one whose commit may have changed rows."""
    while (commit := read(storage, table, version)) and commit.operation in KEEPS_ROWS:
        version -= 1
    return version


def changed_files(storage: Storage, table: str, old: int, new: int) -> Commit | None:
    """What all commits after version `old` up to `new` did together; None where one is gone.

    A file that came and went in between is in neither.
    """
    total = Commit()
    for commit in every(storage, partial(read, storage, table), range(old + 1, new + 1)):
        if commit is None:
            return None
        for files, undone, those in (
            (commit.removed, total.added, total.removed),
            (commit.added, total.removed, total.added),
        ):
            for name, size in files.items():
                if undone.pop(name, None) is None:
                    those[name] = size
    return total
