"""Records as rows of tables, and back: the schemas are derived from the fields."""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from typing import Any

import polars as pl

from catalog.records.builds import Failure, Label, ModelRow, Release
from catalog.records.edits import Pair, Plan
from catalog.records.footage import Clip, Source, Track
from catalog.records.local_edits import LocalEdit, Statistic

TABLES: dict[str, type] = {
    "sources": Source,
    "clips": Clip,
    "tracks": Track,
    "plans": Plan,
    "pairs": Pair,
    "local_edits": LocalEdit,
    "statistics": Statistic,
    "failures": Failure,
    "models": ModelRow,
    "trained": ModelRow,
    "labels": Label,
    "releases": Release,
}


def key_column(table: str) -> str:
    """The column a table is merged on: the record's first field."""
    return dataclasses.fields(TABLES[table])[0].name


def _polars_type(hint: Any) -> pl.DataType:
    if isinstance(hint, types.UnionType):  # X | None
        (hint,) = (arg for arg in typing.get_args(hint) if arg is not types.NoneType)
    if typing.get_origin(hint) is list:
        return pl.List(_polars_type(typing.get_args(hint)[0]))
    if typing.get_origin(hint) is dict:
        return pl.String()  # JSON: parameters differ from expert to expert
    scalar = {str: pl.String, int: pl.Int64, float: pl.Float64, bool: pl.Boolean}
    return scalar[hint]()


@functools.cache
def field_types(record: type) -> dict[str, Any]:
    """The type of each field of a dataclass. To resolve them takes a millisecond, and every row
    asks."""
    return typing.get_type_hints(record)


@functools.cache
def schema(record: type) -> pl.Schema:
    """The polars schema of a record type; nobody's to change."""
    hints = field_types(record)
    return pl.Schema({f.name: _polars_type(hints[f.name]) for f in dataclasses.fields(record)})


def to_row(record: Any) -> dict[str, Any]:
    """A record as a table row; mappings become JSON with sorted keys."""
    row = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    return {k: json.dumps(v, sort_keys=True) if isinstance(v, dict) else v for k, v in row.items()}


R = typing.TypeVar("R")


def from_row(record: type[R], row: dict[str, Any]) -> R:
    """The record a row holds; the inverse of :func:`to_row`.

    A field with a default that is null or absent (one added after the row was written) gives the
    default.
    """
    hints = field_types(typing.cast(type, record))
    values = {}
    for f in dataclasses.fields(record):  # type: ignore[arg-type]
        if not _is_required(f) and row.get(f.name) is None:
            continue
        value = row[f.name]
        values[f.name] = json.loads(value) if typing.get_origin(hints[f.name]) is dict else value
    return record(**values)


def _is_required(f: dataclasses.Field[Any]) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
