"""Records as the rows of a stored table, and a stored table's columns as readers want them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from catalog.delta.writing import PART
from catalog.errors import EditmillError
from catalog.records import TABLES, key_column, schema, to_row

Row = Mapping[str, Any]


def columns(table: str) -> pl.Schema:
    """What a new table has: the record's fields, and the part; nobody's to change."""
    return _with_part(TABLES[table])


@functools.cache
def _with_part(record: type) -> pl.Schema:
    return pl.Schema({**schema(record), PART: pl.String()})


def rows_of(table: str, records: Iterable[Any]) -> list[dict[str, Any]]:
    """Of several records with one key the last."""
    key = key_column(table)
    return list({row[key]: row for row in map(to_row, records)}.values())


def frame_of(table: str, rows: Mapping[str, Sequence[Row]]) -> pl.DataFrame:
    """The rows of these parts. Raises EditmillError for a text that is none."""
    every = [{**row, PART: part} for part, own in rows.items() for row in own]
    try:
        return pl.DataFrame(every, schema=columns(table), orient="row")
    except UnicodeEncodeError:
        fault = _no_text(table, every)
    raise fault


def completed(frame: pl.LazyFrame, wanted: Mapping[str, Any]) -> pl.LazyFrame:
    """The frame with all of these columns: null where it does not have one."""
    have = frame.collect_schema()
    missing = [pl.lit(None, kind).alias(name) for name, kind in wanted.items() if name not in have]
    return frame.with_columns(missing)


def as_read(name: str, stored: pl.DataType | None, wanted: pl.DataType) -> pl.Expr:
    """A stored column as the record's type; null where there is none of that name."""
    if stored is None:
        return pl.lit(None, wanted).alias(name)
    # No cast without need: what filters on the column must still skip row groups.
    return pl.col(name) if stored == wanted else pl.col(name).cast(wanted)


def refuse_other_types(table: str, uri: str, have: pl.Schema, *, writing: bool = False) -> None:
    """Raises EditmillError where a stored column is of another type than the record's field.

    Whole numbers can be read as fractions, but no fraction be written to them. `uri` is the
    table's, for the message.
    """
    for name, kind in columns(table).items():
        stored = have.get(name, kind)
        widened = not writing and stored.is_integer() and kind.is_float()
        if stored not in (kind, pl.Null()) and not widened:
            raise EditmillError(
                f"{uri}: the column {name} holds {stored}, and this editmill has it as "
                f"{kind}; use the version of editmill that wrote it, or restore the table "
                "from a copy"
            )


def _no_text(table: str, rows: Sequence[Row]) -> EditmillError:
    """The error for rows of which one has a text with half a character."""
    key = key_column(table)
    for row in rows:
        for name, value in row.items():
            try:
                str(value).encode()
            except UnicodeEncodeError:
                return EditmillError(
                    f"table {table}: {name} of {row[key]!r} holds half a character ({value!r:.80}),"
                    " which is no text; mend what it comes from, a file's name or a model's answer"
                )
    raise AssertionError("unreachable")
