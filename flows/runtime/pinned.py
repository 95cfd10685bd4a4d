"""A recipe that names models trained from its catalog, at the versions that these are now."""

from __future__ import annotations

import json
from pathlib import Path

from catalog.releases import Catalog
from experts import serving
from experts.serving import name_of
from filters import trained
from filters.rules import LATEST
from flows.recipe import Recipe


def pinned(recipe: Recipe, root: str | Path) -> Recipe:
    """The recipe with every `latest` of its `experts` and `filters` replaced by the version it
    means in the catalog at `root`, so that a build ends with the models it began with.

    Raises EditmillError where a version is not known.
    """
    return recipe.model_copy(
        update={
            "experts": serving.pinned(recipe.experts, root),
            "filters": trained.pinned(recipe.filters, recipe.models.encode, root),
        }
    )


def as_built(recipe: Recipe, dataset: Catalog) -> Recipe:
    """The recipe with every `latest` replaced by the version that the newest build had, if that was
    of this recipe: a version promoted since has made and judged nothing in the catalog yet."""
    built = json.loads(dataset.selection.recipe or "{}")
    if built.get("name") == recipe.name:
        had = built.get("experts", {})
        experts = {
            name: had.get(name, given) if f"@{LATEST}" in name_of(given) else given
            for name, given in recipe.experts.items()
        }
        models = {
            key: built.get("filters", {}).get(key)
            for key in trained.NAMED_BY.values()
            if getattr(recipe.filters, key) == LATEST
        }
        filters = recipe.filters.model_copy(update=models)
        recipe = recipe.model_copy(update={"experts": experts, "filters": filters})
    return pinned(recipe, dataset.storage.uri)
