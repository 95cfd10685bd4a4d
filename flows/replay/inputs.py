"""What a stage is run again from: the catalog's recipe, and its clips with their tracks."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl

from catalog.errors import EditmillError
from catalog.records import Clip, Track, from_row
from catalog.releases import Catalog
from catalog.validated import validated
from experts.annotate.clip import AnnotatedClip
from flows.recipe import Recipe, load
from flows.runtime.context import BuildRun, Context


def context_of(dataset: Catalog, recipe: Recipe) -> Context:
    """A context that reads `dataset` as a build of `recipe` would, at the ref it was opened at."""
    return Context(BuildRun(dataset.uri, recipe, dataset.uri), dataset.storage, dataset)


def recipe_of(dataset: Catalog, named: str | None = None) -> Recipe:
    """The recipe that is `named`, a shipped one or a YAML file; by default the one that the
    dataset was built by, as it remembers it: without what changes no result.

    Raises EditmillError where the recipe is none, or the dataset remembers none.
    """
    if named is not None:
        return load(named)
    decided = json.loads(dataset.selection.recipe or "{}")
    where = f"{dataset.uri}: the recipe that it was built by"
    if not decided:
        raise EditmillError(f"{where} is not in it; name one with --recipe")
    if decided.get("records") is not None:
        decided.pop("plan", None)  # remembered as empty; a recipe for records has none
    return validated(Recipe, decided, where)


def annotated_clips(dataset: Catalog, clips: Sequence[str] | None = None) -> list[AnnotatedClip]:
    """Clips with their tracks as they are recorded, in the order of `clips`; None: all."""
    asked = pl.lit(True) if clips is None else pl.col("clip_id").is_in(list(clips))
    rows = dataset.clips().filter(asked).collect().iter_rows(named=True)
    found = {row["clip_id"]: AnnotatedClip(from_row(Clip, row), []) for row in rows}
    for row in dataset.tracks().filter(asked).collect().iter_rows(named=True):
        found[row["clip_id"]].tracks.append(from_row(Track, row))
    return [found[clip] for clip in (found if clips is None else clips) if clip in found]
