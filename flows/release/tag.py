"""The release that a build ends with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version

from catalog import opening
from catalog.errors import EditmillError
from catalog.records import Release
from catalog.releases.publishing import completed
from flows.release.unchanged import unchanged
from flows.release.used_models import model_rows
from flows.runtime.context import Context


def publish_release(ctx: Context, tag: str | None, without: Sequence[str]) -> Release:
    """Releases what the recipe asked for, under `tag` or the next of v1, v2 …, with the models
    that took part; where the newest release of the recipe holds the same pairs and records, that
    one is returned. `without` are parts of the tables that another build is writing."""
    models = model_rows(ctx)
    ctx.catalog.tables.put("models", {"used": models})
    recipe = json.dumps(ctx.recipe.decisions())
    if not without and (same := unchanged(ctx.catalog, recipe)) is not None:
        return completed(opening.open(ctx.catalog.storage, same.tag), same)
    while True:
        wanted = tag or ctx.catalog.next_tag()
        try:
            return ctx.catalog.release(
                wanted,
                recipe=recipe,
                code=version("editmill"),
                models={
                    row.model_id: {"licence": row.licence, "origin": row.origin} for row in models
                },
                without=without,
            )
        except EditmillError:
            if tag or ctx.catalog.next_tag() == wanted:
                raise  # else another build took that number at the same moment
