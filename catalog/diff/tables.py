"""Which rows of a table differ between two refs."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from catalog.diff.rows import collected, content, differing_rows
from catalog.records import key_column
from catalog.releases import Catalog
from catalog.tables import VERSIONED


@dataclass(frozen=True, slots=True)
class TableDiff:
    """The keys of the rows that differ between two refs, sorted."""

    added: list[str]
    removed: list[str]
    changed: list[str]

    @property
    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {
            "added": len(self.added),
            "removed": len(self.removed),
            "changed": len(self.changed),
        }

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def table_changes(old: Catalog, new: Catalog) -> dict[str, TableDiff]:
    """What changed from ref `old` of a catalog to its ref `new`, per table."""
    return {table: table_diff(old, new, table) for table in VERSIONED}


def table_diff(old: Catalog, new: Catalog, table: str) -> TableDiff:
    """What changed in one table."""
    key = key_column(table)
    before, after = differing_rows(old, new, table)
    names = [name for name in before.collect_schema() if name != key]
    rows = (each.select(key, row=content(names)) for each in (before, after))
    had, has = pl.col("row"), pl.col("row_right")
    joined = (
        next(rows)
        .join(next(rows), on=key, how="full", coalesce=True)
        .filter(had.ne_missing(has))
        .select(key, came=had.is_null(), went=has.is_null())
        .sort(key)
    )
    differing = collected(joined, table, old, new)
    came, went = differing["came"], differing["went"]
    keys = (differing.filter(of)[key].to_list() for of in (came, went, ~(came | went)))
    return TableDiff(*keys)
