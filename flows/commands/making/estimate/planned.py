"""What a catalog's builds have planned by a recipe so far: the best guess at what they will."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass

import polars as pl

import catalog
from catalog.errors import EditmillError
from catalog.layout import MARKER
from catalog.releases import Catalog
from catalog.storage import open_storage
from experts.edit.tasks import TASKS
from flows.recipe import Recipe
from flows.runtime.pinned import as_built

FEWEST = 4
"""Clips; what fewer have says less of others than the samples do."""

OF_NO_PLAN = {"filters", "credentials"}
"""Parts of a recipe that decide nothing that is planned."""


@dataclass(frozen=True, slots=True)
class Planned:
    """Edits per clip, by task, of so many clips. A task that is not there was not planned yet."""

    clips: int
    per_clip: dict[str, float]


def planned(out: str, recipe: Recipe) -> Planned | None:
    """What `main` of the catalog at `out` has of the recipe; None where it is of another one, has
    too few clips, or is no catalog.

    Raises EditmillError for a catalog that cannot be read.
    """
    storage = open_storage(out)
    if recipe.records is not None or not storage.exists(MARKER):
        return None
    dataset = catalog.open(storage)
    if not _is_of(dataset, recipe):
        return None
    # Of a clip that is planned twice from several seeds the edit is the same.
    edits = dataset.sql("select distinct clip_id, task, track_id from plans")
    later: set[str] = set()
    if dataset.unfinished:  # a clip without edits is not told from one that is not planned yet
        later = {task.name for task in TASKS.values() if task.from_bank}
        edits = edits.filter(~pl.col("task").is_in(later))
        clips = edits["clip_id"].n_unique()
    else:
        clips = int(dataset.clips().select(pl.len()).collect().item())
    if clips < FEWEST:
        return None
    counts = dict(edits.group_by("task").len().rows())
    tasks = [task for task, weight in recipe.plan.weights.items() if weight and task not in later]
    return Planned(clips, {task: counts.get(task, 0) / clips for task in tasks})


def _is_of(dataset: Catalog, recipe: Recipe) -> bool:
    """Whether the rows of `main` were planned by this recipe."""
    with suppress(EditmillError):  # of a version that is not known; the build will say so
        asked = json.loads(json.dumps(as_built(recipe, dataset).decisions()))
        built = json.loads(dataset.selection.recipe or "{}")
        return all(asked[part] == built.get(part) for part in asked.keys() - OF_NO_PLAN)
    return False
