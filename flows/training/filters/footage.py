"""What a catalog has for a filter's model to be trained on, beside the sample clips."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import polars as pl

from catalog.keys import digest
from catalog.query import Queries
from filters.quality.training.labelled import LabelledPair

Footage: TypeAlias = Sequence[tuple[str, Path]]
"""Ids of sources, each with a video file of it."""


@dataclass(frozen=True, slots=True)
class TrainingMaterial:
    """Footage, and pairs that people labelled; alignment has none of these, since a label does not
    say whether the target shows its prompt."""

    footage: Footage
    labelled: Sequence[LabelledPair] = ()


def sources_of(dataset: Queries) -> set[str]:
    """The ids of all sources that the catalog has clips of."""
    return set(dataset.clips().select("source_id").unique().collect()["source_id"])


def footage_of(dataset: Queries, new: Collection[str], most: int) -> Footage:
    """The longest clip of each of `most` sources at most, `new` ones first; which ones are taken
    depends on their ids alone."""
    longest = (
        dataset.clips()
        .sort("frames", "clip_id", descending=[True, False])
        .group_by("source_id", maintain_order=True)
        .first()
        .select(pl.col("source_id"), pl.col("video"))
        .collect()
    )
    found = sorted(
        longest.iter_rows(), key=lambda row: (row[0] not in new, digest("order", row[0]))
    )
    return [(source, dataset.path(video)) for source, video in found[:most]]
