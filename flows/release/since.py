"""What a release has that the one before it of the same recipe had not."""

from __future__ import annotations

import json
from dataclasses import dataclass

import polars as pl

from catalog import opening
from catalog.diff.rows import collected, differing_rows
from catalog.records import Release
from catalog.releases import Catalog
from flows.release.outcome import Outcome


@dataclass(frozen=True, slots=True)
class NewRecords:
    """Pairs or local-editing records made since the release `since` (empty: there was none), and
    those of them that are kept."""

    since: str
    ids: pl.Series
    kept_ids: pl.Series

    @property
    def made(self) -> int:
        return len(self.ids)

    @property
    def kept(self) -> int:
        return len(self.kept_ids)


def recipe_name(release: Release) -> str:
    """The name of the recipe that it was built by; empty where it says none."""
    try:
        found = json.loads(release.recipe)
    except ValueError:
        return ""
    return str(found.get("name", "")) if isinstance(found, dict) else ""


NOTHING = pl.Series(dtype=pl.String)


def made_by(dataset: Catalog, outcome: Outcome) -> NewRecords:
    """What a build has made that was in no release of its recipe before."""
    if not outcome.release or outcome.unchanged:
        return NewRecords(outcome.release, NOTHING, NOTHING)
    return made_since(dataset, outcome.release, outcome.product)


def made_since(dataset: Catalog, tag: str, product: str) -> NewRecords:
    """What the release `tag` has of `product` (`pairs` or `local_edits`) that is new in it: all of
    it where the recipe has no earlier release. A local-editing record is always kept."""
    refs = [opening.open(dataset.storage, tag)]
    newest = dataset.newest_releases()
    name = next(recipe_name(release) for release in newest if release.tag == tag)
    earlier = next((release for release in newest if recipe_name(release) == name), None)
    key = "pair_id" if product == "pairs" else "edit_id"
    rows = refs[0].table(product)
    if earlier:
        refs.append(opening.open(dataset.storage, earlier.tag))
        before, rows = differing_rows(refs[1], refs[0], product)
        rows = rows.join(before.select(key), on=key, how="anti")
    kept = pl.col("keep") if product == "pairs" else pl.lit(True)
    found = collected(rows.select(key, kept.alias("keep")), product, *refs)
    since = earlier.tag if earlier else ""
    return NewRecords(since, found[key], found.filter(pl.col("keep"))[key])
