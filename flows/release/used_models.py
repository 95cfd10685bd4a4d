"""The models that took part in what a catalog holds, with their licences.

They are found from the products themselves, not from what was loaded or lies in the cache: a build
that went on from its journal loads nothing, and its release names the same models.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from catalog.records import ModelRow
from experts import weights
from experts.base import Expert
from experts.edit.tasks import TASKS
from experts.providers import Choice, chosen, provider
from experts.providers.requirements import checkpoint_version, is_served, requirement
from experts.serving import EMBEDDED, provider_of, serving
from filters.alignment.filter import AlignmentFilter
from filters.config import filters_for
from filters.footage.models import models_for
from filters.quality.filter import QualityFilter
from filters.trained import NAMED_BY
from flows.runtime.context import Context

LICENCE = "Apache-2.0"
"""Of what editmill trains itself."""


def model_rows(ctx: Context) -> list[ModelRow]:
    """Files with weights or footage, checkpoints, served models, and the filters' trained models.

    Experts trained from the catalog have their rows since then (`catalog.trained`).
    """
    experts = dict(_experts(ctx))
    choices = list(_choices(ctx, experts))
    rows = [_of_slot(weights.entry(slot)) for slot in sorted(_slots(ctx, experts, choices))]
    rows += [row for choice in choices for row in _of_choice(choice)]
    if ctx.recipe.models.depth is None:
        rows += [
            _of_checkpoint(expert, TASKS[task].checkpoint)
            for task, expert in experts.items()
            if TASKS[task].checkpoint
        ]
    if experts:
        rows += _of_filters(ctx)
    return list({row.model_id: row for row in rows if row.version}.values())


def _experts(ctx: Context) -> Iterator[tuple[str, Expert]]:
    """Of each task with pairs, the expert that made them. A pair by another one than serves now is
    of an earlier build, whose rows are there."""
    made = ctx.catalog.pairs().select("task", "expert").unique().sort("task").collect()
    for task, name in made.iter_rows():
        if task in TASKS:
            recipe = ctx.recipe
            expert = serving(ctx.catalog, recipe.experts, task, recipe.models)
            if expert.name == name:
                yield task, expert


def _choices(ctx: Context, experts: Mapping[str, Expert]) -> Iterator[Choice]:
    """The recipe's choices that took part in what the catalog holds."""
    recipe = ctx.recipe
    models = recipe.models
    if _any(ctx.catalog.sources()):
        yield from models.of("shots")
    if _any(ctx.catalog.clips()):
        yield from (each for slot in ("captions", "detect", "track") for each in models.of(slot))
    if recipe.records is not None and _any(ctx.catalog.local_edits()):
        yield from (models.region_captions, models.flow)
    if experts:  # every pair has an instruction and was judged
        yield from (models.write, models.encode, *filter(None, [models.judge]))
    for task in experts:
        provider = provider_of(recipe.experts, task)
        if isinstance(provider, Choice):
            yield provider
        frame = models.first_frame_of(task)
        if frame is not None and provider != EMBEDDED:
            yield frame
        if models.depth is not None and TASKS[task].checkpoint:
            yield models.depth


def _any(table: pl.LazyFrame) -> bool:
    return not table.limit(1).collect().is_empty()


def _slots(ctx: Context, experts: Mapping[str, Expert], choices: Sequence[Choice]) -> set[str]:
    sources = set(ctx.catalog.sources().select("source_id").collect()["source_id"])
    used = {entry.name for entry in weights.entries() if entry.sha256 in sources}
    for choice in choices:
        used.update(provider(choice.slot, choice.provider).weights)
    if sources:
        used.update(
            slot
            for model in models_for(ctx.recipe.footage).used
            for slot in getattr(model, "slots", ())
        )
    for expert in experts.values():
        used.update(getattr(expert, "slots", ()))
    return used


def _of_choice(choice: Choice) -> Iterator[ModelRow]:
    """Of a checkpoint, or of a model on a server; embedded weights have rows of their own."""
    needed = requirement(choice.slot, choice.provider, choice.options)
    if is_served(provider(choice.slot, choice.provider), choice.options):
        served = str(choice.options.get("model", "")) or "the server's model"
        yield ModelRow(
            model_id=f"{choice.slot}/{served}",
            name=served,
            version="as served",
            licence=needed.licence,
            origin=f"an OpenAI-compatible server, for {choice.slot}",
            metrics={},
        )
    elif version := checkpoint_version(choice):
        yield ModelRow(
            model_id=f"{choice.provider}@{version}",
            name=choice.provider,
            version=version,
            licence=needed.licence + (f" ({needed.licence_from})" if needed.licence_from else ""),
            origin=needed.checkpoint,
            metrics={},
        )


def _of_slot(entry: weights.WeightsEntry) -> ModelRow:
    origin = entry.sources[0]
    return ModelRow(
        model_id=f"{entry.name}@{entry.sha256[:12]}",
        name=entry.name,
        version=entry.sha256[:12],
        licence=f"{entry.licence} ({entry.licence_from})",
        origin=f"pkg:{origin.kind}/{origin.package}@{origin.version}#{origin.path}",
        metrics={},
    )


def _of_checkpoint(expert: Expert, variable: str) -> ModelRow:
    return ModelRow(
        model_id=f"{expert.name}@{expert.version}",
        name=expert.name,
        version=expert.version,
        licence="the checkpoint's own (Depth-Anything-V2-Small: Apache-2.0)",
        origin=f"{variable}={os.environ.get(variable, '')}",
        metrics={},
    )


def _of_filters(ctx: Context) -> Iterator[ModelRow]:
    """The trained models that the filters judge with."""
    rules = ctx.recipe.filters
    for each in filters_for(rules, chosen(ctx.recipe.models.encode), ctx.catalog):
        if isinstance(each, QualityFilter | AlignmentFilter) and each.metrics:
            model = getattr(rules, NAMED_BY[each.name])
            command = "retrain" if isinstance(model, str) else "train"
            yield ModelRow(
                model_id=f"{each.name}@{each.model_version}",
                name=each.name,
                version=each.model_version,
                licence=LICENCE,
                origin=f"by `editmill {command} {each.name}`, {model or 'shipped with editmill'}",
                metrics=dict(each.metrics),
            )
