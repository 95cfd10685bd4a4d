"""Which rows of a table differ between two refs."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from catalog.diff.rows import differing_rows
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
    return {table: _diff_table(table, *differing_rows(old, new, table)) for table in VERSIONED}


def _diff_table(table: str, old: pl.LazyFrame, new: pl.LazyFrame) -> TableDiff:
    """The keys that differ from `old` to `new`."""
    key = key_column(table)
    before, after = old.collect(), new.collect()
    names = list(dict.fromkeys(before.columns + after.columns))
    before, after = (
        _with_columns(frame, names, other) for frame, other in ((before, after), (after, before))
    )
    moved = set(_changed_rows(before, after, key)[key])
    had, has = set(before[key]), set(after[key])
    return TableDiff(sorted(has - had), sorted(had - has), sorted(moved & had))


def _with_columns(frame: pl.DataFrame, names: list[str], other: pl.DataFrame) -> pl.DataFrame:
    """`frame` with all of `names`, null where only `other` has the column."""
    missing = [pl.lit(None, other.schema[n]).alias(n) for n in names if n not in frame.columns]
    return frame.with_columns(missing).select(names)


def _changed_rows(stored: pl.DataFrame, incoming: pl.DataFrame, key: str) -> pl.DataFrame:
    """The rows of `incoming` that are new or differ from the stored ones."""
    new = incoming.join(stored, on=key, how="anti", maintain_order="left")
    both = incoming.join(stored, on=key, how="semi", maintain_order="left")
    old = both.select(key).join(stored, on=key, how="left", maintain_order="left")
    differs = pl.any_horizontal(
        both[name].ne_missing(old[name]) for name in incoming.columns if name != key
    )
    return pl.concat([new, both.filter(both.select(differs=differs)["differs"])])
