"""The pairs of a release that people labelled, for the quality filter to learn from."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from catalog.labels import holding
from catalog.records import Pair, from_row
from catalog.releases import Catalog
from catalog.wording import counted
from filters.quality.descriptor import GROUPS
from filters.quality.training.labelled import LabelledPair


def labelled_pairs(dataset: Catalog, tell: Callable[[str], None]) -> list[LabelledPair]:
    """Of all pairs at the catalog's ref whose task the filter measures, those with a label, sorted
    by id. The labels are the newest, also where they were made after the release.

    `tell` gets a line about the labels that are left out.
    """
    held = holding(dataset.storage)
    if not held:
        return []
    rows = dataset.pairs().filter(pl.col("pair_id").is_in(list(held))).sort("pair_id").collect()
    pairs = [from_row(Pair, row) for row in rows.iter_rows(named=True)]
    measured = [pair for pair in pairs if pair.task in GROUPS]
    if others := sorted({pair.task for pair in pairs} - GROUPS.keys()):
        count = counted(len(pairs) - len(measured), "label")
        tell(f"{count} left out, of tasks that quality does not measure: {', '.join(others)}")
    if absent := len(held) - len(pairs):
        tell(f"{counted(absent, 'label')} left out, of pairs that {dataset.ref} does not hold")
    return [LabelledPair(held[pair.pair_id], pair, dataset.media) for pair in measured]
