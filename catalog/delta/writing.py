"""Commits to a Delta table: rows in and rows out, part by part."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

import polars as pl
from deltalake import DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError

from catalog.delta.parts import EMPTY, committing

PART = "part"
"""The column that says which part a row is of; readers do not see it."""

MANY_FILES = 128
"""From so many small files on, a table's small ones are joined by the next commit that looks:
opening a table takes time for each of its files, and a shard adds one."""

LOOKED_AT_EVERY = MANY_FILES // 4
"""Versions of a table between two looks of a process at its files, which take time for each."""

JOINED_BYTES = 4 << 20
"""Of the files that they are joined to, at most. Whoever writes a file, or reads it, holds some
times its size in memory: 9 600 clips' tracks, 3 kB each, joined to files of 16 MiB in one group of
rows each, 110 MiB; to these, in groups of a mebibyte, 34 (infra/bench/results/scale.md)."""

JOINED_GROUP_BYTES = 1 << 20
"""Of a group of rows in a joined file, as stored: what its writer holds."""

ROW_GROUP = 1 << 16
"""Rows of a row group at most: what reading a single row costs. Smaller ones compress less."""


def _writer(rows: int) -> WriterProperties:
    """With groups of so many rows at most."""
    return WriterProperties(compression="ZSTD", max_row_group_size=rows)


WRITER = _writer(ROW_GROUP)


def append(delta: DeltaTable, frame: pl.DataFrame, fingerprints: Mapping[str, int]) -> None:
    """One commit: the rows of `frame` in, which are the parts of `fingerprints`."""
    write_deltalake(
        delta,
        frame,
        mode="append",
        schema_mode="merge",
        commit_properties=committing(fingerprints),
        writer_properties=WRITER,
    )


def replace(delta: DeltaTable, frame: pl.DataFrame, fingerprints: Mapping[str, int]) -> None:
    """One commit: the rows of `frame` in, and those that its parts had before out."""
    write_deltalake(
        delta,
        frame,
        mode="overwrite",
        predicate=any_of(sorted(fingerprints)),
        schema_mode="merge",
        commit_properties=committing(fingerprints),
        writer_properties=WRITER,
    )


def empty(delta: DeltaTable, parts: Collection[str]) -> None:
    """One commit: all rows of these parts out."""
    delta.delete(
        any_of(sorted(parts)),
        commit_properties=committing(dict.fromkeys(parts, EMPTY)),
        writer_properties=WRITER,
    )


def remove(
    delta: DeltaTable, key: str, ids: Collection[str], fingerprints: Mapping[str, int]
) -> None:
    """One commit: the rows with these ids out; the parts they are of have these fingerprints."""
    delta.delete(
        any_of(ids, key), commit_properties=committing(fingerprints), writer_properties=WRITER
    )


def join_if_many(delta: DeltaTable) -> None:
    """Join the table's small files where there are many, unless somebody else does just now. Any
    two that are small fit into one."""
    files = pl.DataFrame(delta.get_add_actions())
    if (files["size_bytes"] <= JOINED_BYTES // 2).sum() >= MANY_FILES:
        rows, size = (int(files[name].sum()) for name in ("num_records", "size_bytes"))
        group = JOINED_GROUP_BYTES * rows // size or ROW_GROUP
        with suppress(CommitFailedError):
            delta.optimize.compact(
                target_size=JOINED_BYTES,
                max_concurrent_tasks=1,
                writer_properties=_writer(min(group, ROW_GROUP)),
            )


def any_of(values: Collection[str], column: str = PART) -> str:
    """The SQL condition that the column is one of the values."""
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"{column} IN ({quoted})"
