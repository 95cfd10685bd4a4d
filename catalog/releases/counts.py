"""What a catalog holds at a ref, counted: rows of its tables, verdicts on its pairs, licences.

A release counts what is new. Data files never change, so its counts are those of an earlier release
of the same selection, policy and verdicts, with the files that it has beyond that release, and
without those that it no longer has. Where the earlier release has no such counts, or most of a
table was written anew, all of it is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
from polars.exceptions import PanicException, PolarsError

from catalog.records import Release
from catalog.tables import VERSIONED

if TYPE_CHECKING:
    from catalog.releases.catalog import Catalog

Counts = Counter[tuple[Any, ...]]
"""Rows by the values of some columns."""


@dataclass(frozen=True, slots=True)
class Tally:
    """A table's rows are counted by what they have in these columns."""

    table: str
    columns: tuple[str, ...]


TALLIES = {
    "verdicts": Tally("pairs", ("task", "keep", "reason")),
    "outputs": Tally("pairs", ("keep", "expert", "output_licence", "may_train")),
    "licences": Tally("sources", ("licence",)),
}
"""By their names in a release's `counts`, where each is a list of rows: the values of the columns,
then the count."""


def count(held: Catalog, before: Release | None = None) -> dict[str, Any]:
    """Rows per table (`tables`), of each task the pairs `made` and `kept` (`tasks`), and TALLIES.

    `before` is a release of the same selection, policy and verdicts that leaves out no part.
    """
    there = [table for table in VERSIONED if held.tables.version(table) is not None]
    rows = {table: _rows(held, table) for table in there}
    tallies = {name: Counts() for name in TALLIES}
    for table in {tally.table for tally in TALLIES.values()}.intersection(there):
        known = None if before is None else _since(held, table, rows[table], before)
        tallies |= _tallied(held.table(table), table) if known is None else known
    tasks: dict[str, dict[str, int]] = {}
    for (task, keep, _), number in sorted(tallies["verdicts"].items(), key=str):
        of_task = tasks.setdefault(task, {"made": 0, "kept": 0})
        of_task["made"] += number
        of_task["kept"] += number if keep else 0
    listed = {
        name: sorted(([*values, number] for values, number in found.items()), key=str)
        for name, found in tallies.items()
    }
    return {"tables": rows, "tasks": tasks, **listed}


def _rows(held: Catalog, table: str) -> int:
    """How many rows the table has; where nothing is left out its log tells."""
    files = held.tables.files(table)
    if held.tables.without or files["num_records"].has_nulls():
        return int(held.table(table).select(pl.len()).collect().item())
    return int(files["num_records"].sum())


def _since(held: Catalog, table: str, rows: int, before: Release) -> dict[str, Counts] | None:
    """The table's tallies from those of the release `before` and the files that differ; None where
    that cannot be done, or is more to read than the table."""
    old, new = before.tables.get(table), held.tables.version(table)
    if old is None or new is None or old > new or not TALLIES.keys() <= before.counts.keys():
        return None
    changed = held.tables.changed_files(table, old, new)
    if changed is None:
        return None
    size = sum(changed.added.values()) + sum(changed.removed.values())
    if size > held.tables.files(table)["size_bytes"].sum():
        return None
    try:
        added, removed = (
            _tallied(held.as_read(table, held.tables.scan(table, files=files)), table)
            for files in (changed.added, changed.removed)
        )
    except (PolarsError, PanicException, OSError):
        return None  # some are no longer there; else reading all of the table names the damage
    tallies = {}
    for name in added:
        total = Counts({tuple(values): number for *values, number in before.counts[name]})
        total.update(added[name])
        total.subtract(removed[name])
        tallies[name] = Counts({values: number for values, number in total.items() if number})
    whole = all(found.total() == rows and min(found.values(), default=1) > 0
                for found in tallies.values())  # fmt: skip
    return tallies if whole else None


def _tallied(frame: pl.LazyFrame, table: str) -> dict[str, Counts]:
    """The table's tallies over these rows of it, in one pass."""
    names = [name for name, tally in TALLIES.items() if tally.table == table]
    grouped = pl.collect_all([frame.group_by(TALLIES[name].columns).len() for name in names])
    return {name: _counted(rows.iter_rows()) for name, rows in zip(names, grouped, strict=True)}


def _counted(rows: Iterable[tuple[Any, ...]]) -> Counts:
    return Counts({tuple(values): number for *values, number in rows})
