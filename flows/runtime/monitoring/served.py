"""What a build asked of models on servers, in tokens and cost, and where its batches were too large
for the memory."""

from __future__ import annotations

from collections.abc import Mapping

from experts.batching import reduced
from experts.write.chat.usage import Usage
from flows.recipe import Recipe
from flows.runtime.servers.models import served_models


def usage(recipe: Recipe) -> dict[str, Usage]:
    """By model what this process asked of it so far, of the servers that the recipe names."""
    served = {id(model): model for _, model in served_models(recipe)}
    found: dict[str, Usage] = {}
    for model in served.values():
        spent = model.usage()
        found[model.name] = found[model.name] + spent if model.name in found else spent
    return found


def together(one: Mapping[str, Usage], other: Mapping[str, Usage]) -> dict[str, Usage]:
    """By model what two of a build's processes asked."""
    return dict(other) | {n: each + other[n] if n in other else each for n, each in one.items()}


def notes(asked: Mapping[str, Usage]) -> list[str]:
    """One line per model that was asked, and per batch that had to be halved."""
    lines = []
    for name, spent in asked.items():
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
