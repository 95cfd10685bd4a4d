"""Which rows are exported, in which order, and a digest that tells one selection from another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import polars as pl

from catalog.columns import meant
from catalog.errors import EditmillError
from catalog.export.format import Rows
from catalog.export.pairs.preferred import preferred
from catalog.export.pairs.splits import MADE_OF
from catalog.query import Queries
from catalog.records import key_column

EXAMPLES = {"pairs": "task = 'object_swap' and quality_score > 0.7", "local_edits": "frames > 32"}
"""A condition on a table's columns that works."""

_SLICE = 10_000
"""Rows written to the digest together."""

_SOURCE_IDS = r'"source_id": "([^"]+)"'
"""A source named in a row's parameters: the donor of a swapped or added object."""


@dataclass(frozen=True, slots=True)
class ExportSelection:
    """`frame` has the columns of the table, sorted by key, and `made_of`
    (:mod:`catalog.export.pairs.splits`); `digest` follows from its rows."""

    frame: pl.DataFrame
    key: str
    digest: str


def select(dataset: Queries, rows: Rows, where: str | None) -> ExportSelection:
    """The rows to export that meet `where`, an SQL condition on their columns.

    Of pairs the kept ones, unless the condition itself names `keep`. Of preferences all that meet
    it, kept or not, and of these the kept that have a rejected counterpart.

    Raises EditmillError for a condition that is none or empty, and where nothing is left.
    """
    table = "local_edits" if rows == "local_edits" else "pairs"
    key = key_column(table)
    scan = dataset.table(table)
    columns = scan.collect_schema().names()
    condition = None if where is None else _condition(where, table, columns)
    names_keep = condition is not None and "keep" in condition.meta.root_names()
    if rows == "pairs" and not names_keep:
        scan = scan.filter(pl.col("keep"))
    if condition is not None:
        scan = scan.filter(condition)
    named = pl.col("params").fill_null("").str.extract_all(_SOURCE_IDS)
    made_of = pl.concat_list(
        pl.concat_list("source_id"), named.list.eval(pl.element().str.extract(_SOURCE_IDS))
    )
    scan = scan.with_columns(made_of.list.unique().list.sort().alias(MADE_OF)).drop("params")
    try:
        frame = scan.sort(key).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        dataset.tables.find_damage(table)
        if not where:
            raise
        raise _bad_condition(where, str(error), table) from None
    if rows == "preferences":
        frame = preferred(frame)
    if not len(frame):
        raise EditmillError(_nothing(dataset, rows, where))
    frame = frame.select(key, pl.exclude(key))
    return ExportSelection(frame, key, _digest(frame))


def _condition(where: str, table: str, columns: list[str]) -> pl.Expr:
    if not where.strip():
        raise _bad_condition(where, "is empty", table)
    try:
        condition = pl.sql_expr(where)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, UnicodeError) as error:
        raise _bad_condition(where, str(error), table) from None
    unknown = sorted(set(condition.meta.root_names()) - set(columns))
    if unknown:
        what = f"there is no column {', '.join(unknown)}"
        raise EditmillError(f"--where {where!r}: {what}; {meant(unknown, {table: columns})}")
    return condition


def _bad_condition(where: str, message: str, table: str) -> EditmillError:
    what = " ".join(message.split("\n\n")[0].split())
    return EditmillError(
        f"--where {where!r}: {what}; it is an SQL condition on the columns of {table}, as: "
        f"{EXAMPLES[table]}"
    )


def _nothing(dataset: Queries, rows: Rows, where: str | None) -> str:
    met = f" meets {where!r}" if where else ""
    if rows == "local_edits":
        return f"no local-editing record{met or ' is there'}; build some with vivid-embedded"
    if rows == "preferences":
        return (
            f"no kept pair{f' that{met}' if met else ''} has a rejected one of the same edit; "
            "build several versions of an edit, or export 'huggingface' with --where \"not keep\""
        )
    return (
        f'no kept pair{met or " is there"}; `editmill query "select keep, reason, count(*) n from '
        'pairs group by keep, reason"` tells what there is, with the same --catalog and --ref'
    )


def _digest(frame: pl.DataFrame) -> str:
    sha = hashlib.sha256()
    for part in frame.iter_slices(_SLICE):
        sha.update(part.write_ndjson().encode())
    return sha.hexdigest()
