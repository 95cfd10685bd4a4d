"""Which rows of a table two refs may differ in, found without reading those that they share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import polars as pl
from polars.exceptions import PanicException, PolarsError

from catalog.errors import EditmillError
from catalog.releases import Catalog


def differing_rows(old: Catalog, new: Catalog, table: str) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The table's rows at both refs, less those of data files that both have; with the same
    columns, null where one lacks them.

    Data files never change, so the rows left out are equal. Where the two read equal rows
    differently (pairs under different policies), or the log does not tell any more which files
    differ, it is all rows.
    """
    before, after = _rows(old, new, table)
    had, has = before.collect_schema(), after.collect_schema()
    ours = {name: dtype for name, dtype in has.items() if name not in had}
    theirs = {name: dtype for name, dtype in had.items() if name not in has}
    return (
        before.with_columns(_nulls(ours)).select(*had, *ours),
        after.with_columns(_nulls(theirs)).select(*had, *ours),
    )


def of_same_files(old: Catalog, new: Catalog, table: str) -> bool:
    """Whether both refs have the same rows stored, and so differ in their policies at most."""
    before, after = ((_place(at), at.tables.version(table)) for at in (old, new))
    return before == after and before[1] is not None


def collected(frame: pl.LazyFrame, table: str, *of: Catalog) -> pl.DataFrame:
    """The frame, made of a table's rows at these refs. Raises EditmillError, naming the file where
    that can be told, for one that cannot be read."""
    try:
        return frame.collect(engine="streaming")
    except (PolarsError, PanicException, OSError) as error:
        fault = error
    for at in of:
        at.tables.find_damage(table)
    what = str(fault).partition("\n")[0]
    raise EditmillError(f"{of[0].uri}: the table {table} cannot be read ({what}); restore it")


def content(names: Sequence[str]) -> pl.Expr:
    """A hash of what a row has in these columns: to compare whole rows of millions of pairs would
    take their memory, twice."""
    return pl.struct(names).hash() if names else pl.lit(0, pl.UInt64)


def _rows(old: Catalog, new: Catalog, table: str) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    everything = old.table(table), new.table(table)
    before, after = (at.tables.version(table) for at in (old, new))
    if before is None or after is None or _reading(old, table) != _reading(new, table):
        return everything
    changed = new.tables.changed_files(table, *sorted((before, after)))
    if changed is None:
        return everything
    gone, come = changed.removed, changed.added
    if before > after:
        gone, come = come, gone
    return _of_files(old, table, gone), _of_files(new, table, come)


def _of_files(at: Catalog, table: str, files: Collection[str]) -> pl.LazyFrame:
    return at.as_read(table, at.tables.scan(table, files=files))


def _nulls(columns: dict[str, pl.DataType]) -> list[pl.Expr]:
    return [pl.lit(None, dtype).alias(name) for name, dtype in columns.items()]


def _reading(at: Catalog, table: str) -> tuple[Any, ...]:
    """Equal for refs that make equal rows of equal data files."""
    if table != "pairs":
        return _place(at)
    return *_place(at), None if at.policy is None else at.policy.key


def _place(at: Catalog) -> tuple[Any, ...]:
    """Whose tables they are, and what is left out of them."""
    return at.selection.name, tuple(at.tables.without)
