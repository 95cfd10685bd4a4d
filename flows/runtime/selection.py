"""The selection that a recipe's rows belong to, and what of it the recipe no longer asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version

from catalog.delta.disk_dict import DiskDict
from catalog.keys import digest
from catalog.policy import Policy
from catalog.releases import Catalog
from catalog.tables import Tables
from experts.providers import chosen
from experts.serving import serving
from filters.config import filters_for
from filters.judge import policy_of
from filters.vlm.config import judge_for
from flows.recipe import Recipe

NAME_LENGTH = 16
"""Hex characters of a selection's name."""

FILLED = ("sources", "clips", "tracks", "plans", "pairs", "local_edits", "failures")
"""Tables that stages fill, part by part."""


def select(opened: Catalog, recipe: Recipe) -> Catalog:
    """The catalog at what this recipe asks for, under its thresholds.

    A selection is named by all that can change a row: the recipe without its thresholds, and the
    versions of experts and filters. So it starts anew where those change, from products that are in
    the journal already.
    """
    filters = (
        filters_for(recipe.filters, chosen(recipe.models.encode), opened)
        if recipe.records is None
        else ()
    )
    vlm = judge_for(recipe.models.judge, recipe.filters.vlm) if filters else None
    of_no_row = ("filters", "credentials")
    asked = {name: part for name, part in recipe.decisions().items() if name not in of_no_row}
    tasks = [task for task, weight in recipe.plan.weights.items() if weight]
    name = digest(
        asked,
        recipe.filters.construction,
        {each.name: each.version for each in filters},
        *((recipe.filters.vlm.of, vlm.version) if vlm else ()),
        {task: serving(opened, recipe.experts, task, recipe.models).version for task in tasks},
    )[:NAME_LENGTH]
    policy = policy_of(filters, recipe.filters.vlm.cuts if vlm else ()) if filters else Policy()
    description = json.dumps(recipe.decisions())  # in its order, by which edits are drawn
    return opened.select(name, description, policy, version("editmill"))


PartsByTable = Mapping[str, DiskDict]
"""Of the tables that stages fill, the parts with rows; on disk, since a build may add to many."""


def parts(tables: Tables) -> PartsByTable:
    """What the tables hold now."""
    found = {table: DiskDict() for table in FILLED}
    for table, names in found.items():
        names.update(dict.fromkeys(tables.parts(table), 1))
    return found


def settle(tables: Tables, before: PartsByTable, keep: bool = False) -> list[str]:
    """Remove the parts of `before` that the build did not come to: footage that is gone, a clip
    that is cut otherwise; with `keep`, where not all footage could be listed, none. Returns those
    that another build of the recipe is writing meanwhile.
    """
    others: set[str] = set()
    for table in FILLED:
        there, asked = {name for name, _ in before[table].items()}, set(tables.written(table))
        if keep:
            asked |= there
        tables.drop(table, there - asked)
        others |= tables.parts(table) - asked
    return sorted(others)
