"""A recipe that names models trained from its catalog, at the versions that these are now."""

from __future__ import annotations

from pathlib import Path

from experts import serving
from filters import trained
from flows.recipe import Recipe


def pinned(recipe: Recipe, root: str | Path) -> Recipe:
    """The recipe with every `latest` of its `experts` and `filters` replaced by the version it
    means in the catalog at `root`, so that a build ends with the models it began with.

    Raises EditmillError where a version is not known.
    """
    return recipe.model_copy(
        update={
            "experts": serving.pinned(recipe.experts, root),
            "filters": trained.pinned(recipe.filters, root),
        }
    )
