"""Whether a build ended with the very pairs and records of the release before it."""

from __future__ import annotations

import json
from typing import Any

from catalog import opening
from catalog.diff.tables import table_diff
from catalog.records import Release
from catalog.releases import Catalog

PRODUCTS = ("pairs", "local_edits")
"""The tables that a dataset is made of; the others say how it came about."""


def unchanged(dataset: Catalog, recipe: str) -> Release | None:
    """The newest release of this recipe and the catalog's policy, if it holds the pairs and records
    that the catalog has now. A failure that changed, or footage of which nothing was made, is no
    reason for another release."""
    policy = {} if dataset.policy is None else dataset.policy.document()
    asked: tuple[Any, ...] = (dataset.selection.name, _parsed(recipe), policy, [])
    of_recipe = (
        release
        for release in dataset.newest_releases()
        if (release.selection, _parsed(release.recipe), release.policy, release.without) == asked
    )
    newest = next(of_recipe, None)
    if newest is None:
        return None
    before = opening.open(dataset.storage, newest.tag)
    return newest if all(_same(before, dataset, table) for table in PRODUCTS) else None


def _parsed(recipe: str) -> Any:
    """A release of an earlier version has its keys in another order, and none may be no JSON."""
    try:
        return json.loads(recipe)
    except ValueError:
        return recipe


def _same(before: Catalog, now: Catalog, table: str) -> bool:
    versions = before.tables.version(table), now.tables.version(table)
    return not now.tables.moved(table, *versions) or not table_diff(before, now, table)
