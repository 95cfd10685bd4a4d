"""What is to be run again: a shard, a source, a clip, or one record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from catalog.errors import EditmillError
from catalog.releases import Catalog
from flows.runtime.shard import clips_of, is_name

KEYS = {
    "clips": "clip_id",
    "plans": "plan_id",
    "pairs": "pair_id",
    "local_edits": "edit_id",
    "sources": "source_id",
}
"""The tables in which an id is looked for, and what it is called there."""


@dataclass(frozen=True, slots=True)
class Target:
    """Clips by their ids, in their order. Where one record of a clip is meant, `record` is the id
    of its plan, or of the local-editing record."""

    clips: tuple[str, ...]
    record: str = ""


def target(dataset: Catalog, what: str) -> Target:
    """What is meant by a shard's name, the name of a source, or by how the id of a clip, a plan, a
    pair, a local-editing record or a source begins. A record may be named as logs and failures name
    it, `object_removal 3f9c…`.

    Raises EditmillError where nothing is meant, or several things are.
    """
    prefix = what.split()[-1] if what.split() else what
    if is_name(what) and (shard := clips_of(dataset.products, what)):
        return Target(tuple(shard))
    found = {(each.clips, each.record): each for each in _found(dataset, what, prefix)}
    if not prefix or not found:
        raise EditmillError(
            f"{what!r}: no shard, source, clip, plan, pair or record of {dataset.uri} is called "
            'so; `editmill query "select clip_id, plan_id, task from plans"` lists them'
        )
    if len(found) > 1:
        raise EditmillError(f"{what!r}: {len(found)} ids begin so; give more of the one you mean")
    return next(iter(found.values()))


def _found(dataset: Catalog, what: str, prefix: str) -> Iterator[Target]:
    for table, key in KEYS.items():
        named = pl.col("name") == what if table == "sources" else pl.lit(False)
        rows = dataset.table(table).filter(pl.col(key).str.starts_with(prefix) | named)
        for row in rows.head(3).collect().iter_rows(named=True):
            if table == "sources":
                own = pl.col("source_id") == row["source_id"]
                clips = dataset.clips().filter(own).sort("first_frame").collect()["clip_id"]
                yield Target(tuple(clips))
            elif table == "clips":
                yield Target((row["clip_id"],))
            else:
                yield Target((row["clip_id"],), row.get("plan_id") or row[key])
