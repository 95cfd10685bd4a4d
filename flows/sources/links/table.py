"""Tables of links: CSV, JSON lines or Parquet files, and SQL over them, as lazy frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import polars as pl

from catalog.errors import EditmillError, one_line
from catalog.query import first_word
from catalog.storage.access import s3_access
from flows.sources.files import s3
from flows.sources.files.file import CheckStop
from flows.sources.files.paths import LINK, files

T = TypeVar("T")

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")

TABLE = "links"
"""What the table is called in a query."""

BATCH = 10_000
"""Rows at once: some megabytes."""


def opened(patterns: Sequence[str], query: str | None, check_stop: CheckStop) -> pl.LazyFrame:
    """The rows of all these files, or what the query selects from them. Nothing is read yet but
    names and types.

    The columns of a CSV file are text where there is no query; else it is read through once to tell
    their types, as JSON lines are to tell their columns. Raises EditmillError in one line.
    """
    if query is not None and first_word(query) not in ("select", "with"):
        raise EditmillError(
            f"the recipe's `query` is no SELECT; expected: select url from {TABLE} where …"
        )
    by_kind: dict[tuple[str, bool], list[str]] = {}  # by suffix, and whether in a bucket
    for pattern in patterns:
        if pattern.startswith(LINK):
            raise EditmillError(f"{pattern}: a list lies on a disk or in a bucket; fetch it first")
        for file, _ in files(pattern, SUFFIXES, (), check_stop):
            suffix = next((s for s in SUFFIXES if file.uri.lower().endswith(s)), None)
            if suffix is None:
                raise EditmillError(
                    f"{file.uri}: no list of links by its name; expected {', '.join(SUFFIXES)}"
                )
            by_kind.setdefault((suffix, file.uri.startswith(s3.SCHEME)), []).append(file.uri)
    frames = [
        _scanned(suffix, uris, query is not None) for (suffix, _), uris in sorted(by_kind.items())
    ]
    where = ", ".join(patterns)
    frame = _told(where, lambda: pl.concat(frames, how="diagonal_relaxed"))
    if query is None:
        return frame
    return _told("the recipe's `query`", lambda: pl.SQLContext({TABLE: frame}).execute(query))


def schema(frame: pl.LazyFrame, where: str) -> pl.Schema:
    """Names and types of the frame's columns. Raises EditmillError where a file cannot be read."""
    return _told(where, frame.collect_schema)


def rows(frame: pl.LazyFrame, names: Sequence[str], where: str) -> Iterator[tuple[Any, ...]]:
    """The rows in their order, these columns of them, BATCH at once; null stays None."""
    batches = iter(
        frame.select(names).collect_batches(chunk_size=BATCH, maintain_order=True, lazy=True)
    )
    while (batch := _told(where, lambda: next(batches, None))) is not None:
        yield from batch.iter_rows()


def _scanned(suffix: str, uris: list[str], with_types: bool) -> pl.LazyFrame:
    """The rows of files of one kind, which all lie on disks or all in buckets."""
    remote = s3_access().table_options() if uris[0].startswith(s3.SCHEME) else None
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
    return pl.scan_ndjson(uris, infer_schema_length=None, storage_options=remote)


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
            what = one_line(str(error).split("\n\n")[0])
            fault = EditmillError(f"{where}: cannot be read ({what}); mend it")
    raise fault
