"""Reading tables of links, in a process of its own (:mod:`catalog.media.isolation.reader`): whoever
wrote a list may mean harm. Arguments and what is yielded are what JSON can hold.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from catalog.errors import BadInput, EditmillError, one_line
from catalog.media.isolation.reader import pieces
from catalog.storage.access import s3_access
from flows.sources.files import s3

T = TypeVar("T")

TABLE = "links"
"""What the table is called in a query."""

NUMBER = "\0number"
"""A row's number, as a column that can be asked for. No list has one of this name."""

BATCH = 10_000
"""Rows at once: some megabytes."""

MOST_TEXT = 1 << 20
"""Characters that are sent at once."""

TEXT, BYTES, EITHER = "text", "bytes", "{bytes, path}"
"""Kinds of columns that can hold videos: paths to them, their bytes, or one of both."""

MOST_NAMED, MOST_NAME = 20, 60
"""Columns that an error names, and characters of each."""

MOST_SAID = 300
"""Characters of a library's message."""

Group = tuple[str, Sequence[str]]
"""A suffix, and the files of that kind, which all lie on disks or all in buckets."""


def columns(groups: Sequence[Group], query: str | None, where: str) -> Iterator[dict[str, str]]:
    """The columns with their kinds: TEXT, BYTES, EITHER, or polars' name of the type."""
    schema = _told(where, _opened(groups, query, where).collect_schema)
    yield {name: _kind(dtype) for name, dtype in schema.items()}


def rows(
    groups: Sequence[Group], query: str | None, where: str, names: Sequence[str]
) -> Iterator[list[list[str]]]:
    """The rows in their order, these columns of them, as texts without blanks around them."""
    frame = _opened(groups, query, where)
    if NUMBER in names:
        frame = frame.with_row_index(NUMBER)
    # A column may be asked for twice, and polars allows a name once.
    asked = [pl.col(name).alias(str(place)) for place, name in enumerate(names)]
    batches = iter(
        frame.select(asked).collect_batches(chunk_size=BATCH, maintain_order=True, lazy=True)
    )
    while (batch := _told(where, lambda: next(batches, None))) is not None:
        sent, length = [], 0
        for row in batch.iter_rows():
            texts = ["" if value is None else str(value).strip() for value in row]
            sent.append(texts)
            length += sum(map(len, texts))
            if length > MOST_TEXT:
                yield sent
                sent, length = [], 0
        if sent:
            yield sent


def declared_videos(path: str) -> Iterator[list[str]]:
    """The columns that `datasets` has noted in a Parquet file to be videos."""
    try:
        noted = pl.read_parquet_metadata(path).get("huggingface", "{}")
        features = json.loads(noted)["info"]["features"]
        yield [
            name
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "Video"
        ]
    except (KeyError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError, OSError):
        yield []


def cell(path: str, row: int, column: str, uri: str) -> Iterator[Any]:
    """A video in a Parquet file: first its length in bytes (None: there are none) and the path that
    its row names instead, then its bytes in pieces."""
    frame = pl.scan_parquet(path, glob=False)
    try:
        value = frame.slice(row, 1).select(column).collect().item()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise BadInput(
            "unreadable_file",
            f"{uri}: cannot be read ({_short(error)}); fetch the dataset anew",
            final=not isinstance(error, OSError),
        ) from None
    data, other = (value["bytes"], value.get("path")) if isinstance(value, dict) else (value, "")
    yield [None if data is None else len(data), other or ""]
    yield from pieces(data or b"")


def _kind(dtype: pl.DataType) -> str:
    if dtype == pl.String:
        return TEXT
    if isinstance(dtype, pl.Struct):
        held = any(field.name == "bytes" and field.dtype == pl.Binary for field in dtype.fields)
        return EITHER if held else str(dtype)
    return BYTES if dtype == pl.Binary else str(dtype)


def _opened(groups: Sequence[Group], query: str | None, where: str) -> pl.LazyFrame:
    """The rows of all these files, or what the query selects from them.

    The columns of a CSV file are text where there is no query; else it is read through once to tell
    their types, as JSON lines are to tell their columns.
    """
    frames = [_told(where, partial(_scanned, *group, query is not None)) for group in groups]
    frame = _told(where, lambda: pl.concat(frames, how="diagonal_relaxed"))
    if query is None:
        return frame
    return _told("the recipe's `query`", lambda: pl.SQLContext({TABLE: frame}).execute(query))


def _scanned(suffix: str, uris: Sequence[str], with_types: bool) -> pl.LazyFrame:
    uris = list(uris)
    remote = s3_access().table_options() if uris[0].startswith(s3.SCHEME) else None
    for uri in () if remote else uris:
        if not Path(uri).is_file():  # to read a pipe would wait for whoever writes to it
            raise EditmillError(f"{uri}: no file; name one that holds a list")
    if suffix == ".parquet":
        return pl.scan_parquet(
            uris,
            glob=False,
            storage_options=remote,
            missing_columns="insert",
            extra_columns="ignore",
        )
    if suffix in (".csv", ".tsv"):
        return pl.scan_csv(
            uris,
            glob=False,
            separator="\t" if suffix == ".tsv" else ",",
            infer_schema=with_types,
            infer_schema_length=None,
            truncate_ragged_lines=False,  # a link with a comma in it would be cut
            storage_options=remote,
        )
    for uri in () if remote else uris:
        with Path(uri).open("rb") as file:
            if file.read(len(BOM_UTF8)) == BOM_UTF8:  # of CSV files polars takes it away
                raise EditmillError(f"{uri}: begins with a byte-order mark; save it without one")
    return pl.scan_ndjson(uris, infer_schema_length=None, storage_options=remote)


def named(columns: Iterable[str]) -> str:
    """The first of these names, for an error: there may be thousands, of any length."""
    names = list(columns)
    first = ", ".join(name[:MOST_NAME] for name in names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return first + (f" and {more} more" if more > 0 else "")


def _short(error: BaseException) -> str:
    """What polars says, without its hints and without the file's content in full length."""
    return one_line(str(error)[:MOST_SAID].split("\n\n")[0])


def _told(where: str, step: Callable[[], T]) -> T:
    """What the step gives. Raises EditmillError for whatever polars raises, in one line."""
    fault: EditmillError
    try:
        return step()
    except pl.exceptions.NoDataError:
        fault = EditmillError(f"{where}: an empty file; name a list with a header and rows")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        if isinstance(error, OSError) and s3.SCHEME in where:
            fault = s3.fault(where, error)
        else:
            what = _short(error)
            fault = EditmillError(f"{where}: cannot be read ({what}); mend it")
    raise fault
