"""What a catalog has already of what a build is going to be asked for; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

import catalog
from catalog.keeping.forget import noted
from catalog.layout import MARKER
from catalog.storage import open_storage
from flows.commands.making.footage import Video

TABLES = ("sources", "clips", "pairs", "local_edits")

REFUSING = ("look", "ingest")
"""Stages in which a source is refused as a whole."""


@dataclass(frozen=True, slots=True)
class Known:
    """`rows` of the catalog by table; names of the videos that are its sources already, or were
    forgotten or refused, so that a build refuses them again. Videos are known by name or URI here;
    a build looks at their content."""

    rows: dict[str, int] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def known(out: str, videos: Sequence[Video]) -> Known:
    """What the catalog at `out` has of these videos; nothing where there is none.

    Raises EditmillError for a catalog that cannot be read.
    """
    storage = open_storage(out)
    if not storage.exists(MARKER):
        return Known()
    dataset = catalog.open(storage)
    rows = {t: dataset.table(t).select(pl.len()).collect().item() for t in TABLES}
    found = dataset.sources().select("name", "names", "uri").collect()
    have = {*found["name"], *found["uri"], *found["names"].explode().drop_nulls()}
    gone = {name for source in noted(storage) for name in source.names}
    failed = dataset.failures().filter(pl.col("stage").is_in(REFUSING)).select("record").collect()
    refused = {*failed["record"]} - have - gone
    forgotten = _named(gone - have, videos)
    return Known(rows, _named(have, videos), forgotten, _named(refused, videos))


def _named(names: set[str], videos: Sequence[Video]) -> list[str]:
    return [v.file.name for v in videos if v.file.name in names or v.file.uri in names]
