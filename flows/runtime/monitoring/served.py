"""What a build asked of models on servers, in tokens and cost, and where its batches were too large
for the memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experts.batching import reduced
from experts.memory import parts_of
from experts.providers import chosen
from experts.write.chat.served import ServedModel
from experts.write.chat.usage import Usage
from filters.vlm.config import judge_for
from flows.recipe import Recipe


def usage(recipe: Recipe) -> dict[str, Usage]:
    """By model what this process asked of it so far, of the servers that the recipe names."""
    models = recipe.models
    asking: list[Any] = [chosen(models.write, threads=recipe.run.threads), chosen(models.captions)]
    if recipe.records is not None:
        asking.append(chosen(models.region_captions))
    if (judge := judge_for(models.judge, recipe.filters.vlm)) is not None:
        asking.append(judge)
    served = {id(part): part for model in asking for part in parts_of(model)}
    found: dict[str, Usage] = {}
    for part in served.values():
        if isinstance(part, ServedModel):
            found[part.name] = (
                found[part.name] + part.usage() if part.name in found else part.usage()
            )
    return found


def notes(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> list[str]:
    """One line per model that was asked since `before`, and per batch that had to be halved."""
    lines = []
    for name, spent in since(before, after).items():
        cost = "" if spent.cost is None else f", cost {spent.cost:.2f}"
        lines.append(
            f"{name}: {spent.requests} requests, {spent.prompt_tokens} tokens asked, "
            f"{spent.completion_tokens} answered{cost}."
        )
    lines += [
        f"{name}: a batch of {wanted} did not fit into the memory, so it went on with {used}."
        for name, (wanted, used) in reduced().items()
    ]
    return lines


def since(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, Usage]:
    """What was asked between the two, of models that were asked anything."""
    spent = {name: now - before.get(name, Usage(cost=0.0)) for name, now in after.items()}
    return {name: each for name, each in spent.items() if each.requests}
