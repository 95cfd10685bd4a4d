"""The models on servers that a build asks: which they are, and whether they answer when it begins.

A product's key holds what the server said of its model. So that a build which has nothing left to
ask needs no server, the catalog remembers what each said last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from catalog.errors import EditmillError
from catalog.keys import digest
from catalog.products import Products
from experts.memory import parts_of
from experts.providers import chosen
from experts.write.chat.served import ServedModel
from experts.write.chat.server import RequestRefused
from filters.vlm.config import judge_for
from flows.recipe import Recipe

STAGE = "servers"
"""The journal's stage that holds what servers said of their models."""


def served_models(recipe: Recipe) -> Iterator[tuple[str, ServedModel]]:
    """Those that the recipe's build may ask, each with its slot; not asked yet."""
    models = recipe.models
    asking: dict[str, Any] = {"captions": chosen(models.captions)}
    if recipe.records is not None:
        asking["region_captions"] = chosen(models.region_captions)
    else:
        asking["write"] = chosen(models.write, threads=recipe.run.threads)
        asking["judge"] = judge_for(models.judge, recipe.filters.vlm)
    for slot, model in asking.items():
        for part in () if model is None else parts_of(model):
            if isinstance(part, ServedModel):
                yield slot, part


def settle(recipe: Recipe, products: Products) -> dict[str, EditmillError]:
    """Asks each server what its model is. By slot why there is no answer, where there is none; then
    what it said when a build last asked stands for it, if that is known."""
    away: dict[str, EditmillError] = {}
    unreached: dict[str, EditmillError] = {}  # by address: it is not waited for twice
    for slot, model in served_models(recipe):
        key = digest(model.address, model.name)
        try:
            if model.address in unreached:
                raise unreached[model.address]
            products.put(STAGE, key, {"identity": model.ask_identity()})
        except EditmillError as error:
            if not isinstance(error, RequestRefused):
                unreached[model.address] = error
            away[slot] = error
            if known := products.get(STAGE, key):
                model.assume(known["identity"])
    return away
