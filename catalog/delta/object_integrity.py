"""Whether a Delta table in an object store is whole, asked when it is opened.

An object is stored whole or not at all, so its size tells enough: what was lost, emptied or
replaced shows in one listing of the table. Content is not read, as it is in a folder
(:mod:`catalog.delta.integrity`), where files can be cut short.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from catalog.errors import EditmillError
from catalog.storage.location import Storage

_COMMIT = re.compile(r"_delta_log/(\d{20})\.json")
_CHECKPOINT = re.compile(r"_delta_log/(\d{20})\.checkpoint\.parquet")


class Opened(Protocol):
    """A table that is opened at a version; bytes of its data files by name."""

    @property
    def data_files(self) -> Mapping[str, int]: ...

    def version(self) -> int: ...


def check_objects(storage: Storage, key: str, opened: Opened | None) -> None:
    """Raises EditmillError, naming the object and the remedy, where a reader of the table at `key`
    would miss a commit or, once it is opened, a data file; and where the keys may not read it."""
    sizes = {each.key.removeprefix(f"{key}/"): each.size for each in storage.list(key)}
    commits = {int(m[1]): size for name, size in sizes.items() if (m := _COMMIT.fullmatch(name))}
    last = max(commits, default=-1) if opened is None else opened.version()
    checkpoints = [
        int(m[1]) for name, size in sizes.items() if size and (m := _CHECKPOINT.fullmatch(name))
    ]
    start = max((v for v in checkpoints if v <= last), default=-1)
    for v in range(start + 1, last + 1):
        commit = f"{key}/_delta_log/{v:020}.json"
        if v in commits and not commits[v]:
            raise damaged_object(storage, commit, "is empty")
        # A listing may have gone past a commit's place before it came, and then seen the next one.
        if v not in commits and not storage.exists(commit):
            raise damaged_object(storage, commit, "is missing")
    if opened is None:
        if last in commits:
            storage.read(f"{key}/_delta_log/{last:020}.json")  # keys that may only list fail here
        return
    for name, size in opened.data_files.items():
        if sizes.get(name) != size:
            there = f"has {sizes[name]} bytes" if name in sizes else "is missing"
            raise damaged_object(storage, f"{key}/{name}", f"{there}; {size} bytes were written")


def damaged_object(storage: Storage, key: str, what: str) -> EditmillError:
    """The error for a damaged object of a table, with the remedies there are."""
    return EditmillError(
        f"{storage.uri}/{key}: {what}; restore it from a copy or an earlier version of the object, "
        "or remove the table's folder and the releases that hold it and build again"
    )
