"""The models that took part in what a catalog holds, with their licences.

They are found from the products themselves, not from what was loaded or lies in the cache: a build
that went on from its journal loads nothing, and its release names the same models.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import polars as pl

from catalog.records import ModelRow
from experts import weights
from experts.annotate.shots import ShotDetector
from experts.annotate.tracking.detect import Detector
from experts.annotate.tracking.segment import Segmenter
from experts.base import Expert
from experts.edit.tasks import TASKS
from experts.serving import serving
from experts.write.chat.models import LlamaCppChat
from filters.alignment.filter import AlignmentFilter
from filters.config import filters_for
from filters.encoder.embedded import EmbeddedEncoder
from filters.footage.models import models_for
from filters.quality.filter import QualityFilter
from filters.trained import NAMED_BY
from flows.runtime.context import Context

LICENCE = "Apache-2.0"
"""Of what editmill trains itself."""


def model_rows(ctx: Context) -> list[ModelRow]:
    """Files with weights or footage, checkpoints of the user's, and the filters' trained models.

    Experts trained from the catalog have their rows since then (`catalog.trained`).
    """
    experts = dict(_experts(ctx))
    rows = [_of_slot(weights.entry(slot)) for slot in sorted(_slots(ctx, experts))]
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


def _slots(ctx: Context, experts: Mapping[str, Expert]) -> set[str]:
    sources = set(ctx.catalog.sources().select("source_id").collect()["source_id"])
    used = {entry.name for entry in weights.entries() if entry.sha256 in sources}
    if sources:
        used.update(ShotDetector.slots)
        used.update(
            slot
            for model in models_for(ctx.recipe.footage).used
            for slot in getattr(model, "slots", ())
        )
    if ctx.catalog.clips().select(pl.len()).collect().item():
        used.update((*Detector.slots, *Segmenter.slots))
    for expert in experts.values():
        used.update(getattr(expert, "slots", ()))
    if experts:  # every pair has an instruction and was judged
        used.update((*LlamaCppChat().slots, *EmbeddedEncoder.slots))
    return used


def _of_slot(entry: weights.Entry) -> ModelRow:
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
    for each in filters_for(rules, EmbeddedEncoder(), ctx.catalog):
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
