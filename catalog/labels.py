"""People's labels of pairs: whether an edit is good.

A label is a row of the table `labels`, which is the whole catalog's: what somebody said of a pair
holds in every selection and release that has the pair. Rows are only appended.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import polars as pl

from catalog.keys import digest
from catalog.records import Label, from_row, schema
from catalog.releases import Catalog
from catalog.storage.location import Storage
from catalog.tables import Tables


def labelled(pair_id: str, good: bool, by: str = "", note: str = "") -> Label:
    """What `by` says now of the pair of this id."""
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    return Label(digest("label", pair_id, good, by, note, at), pair_id, good, by, note, at)


def newest(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The one of each pair's labels that holds: the newest, in whatever order the rows come."""
    ordered = rows.sort("labelled_at", "label_id")
    held = ordered.group_by("pair_id", maintain_order=True).last()
    return held.select(schema(Label).names())


def holding(storage: Storage) -> dict[str, Label]:
    """The labels that hold now, by the pair's id; also where a release is looked at, since they are
    made after it."""
    rows = newest(Tables(storage).scan("labels")).collect()
    return {row["pair_id"]: from_row(Label, row) for row in rows.iter_rows(named=True)}


def add(dataset: Catalog, labels: Iterable[Label]) -> list[Label]:
    """Store the labels, all or none, but for those that say what holds of their pairs already;
    return the ones stored. At whatever ref `dataset` is open.

    Raises EditmillError where the catalog cannot be written.
    """
    dataset.refuse_old_format()
    held = holding(dataset.storage)
    new = [each for each in labels if not _says(held.get(each.pair_id), each)]
    Tables(dataset.storage).put("labels", {each.label_id: [each] for each in new})
    return new


def _says(held: Label | None, label: Label) -> bool:
    said = (label.good, label.by, label.note)
    return held is not None and said == (held.good, held.by, held.note)
