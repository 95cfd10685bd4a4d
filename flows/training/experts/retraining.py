"""Retraining a CogVideoX expert or editor on a catalog's newest records."""

from __future__ import annotations

from pathlib import Path

from catalog import trained
from catalog.errors import EditmillError
from catalog.query import Queries
from catalog.records import Release
from catalog.releases import Catalog
from experts.diffusion.training.run import COLLECT, TrainingResult
from flows.training.experts.flow import carry_out
from flows.training.experts.settings import load, opened
from flows.training.news import news
from flows.training.retraining import Retraining


def retrained_expert(
    dataset: Catalog,
    release: Release,
    name: str,
    least_new: int,
    margin: float | None,
    config: Path | None,
    base: Path | None,
) -> Retraining:
    """Train the expert or editor on the release if that has `least_new` new records; the training
    itself compares it with the present version and registers it."""
    recipe, settings = load(name, config)

    def keys(of: Queries) -> set[str]:
        try:
            found = COLLECT[recipe.spec.learns_from](of, recipe.spec, settings.data, of.storage.uri)
        except EditmillError:  # none suits the expert, not yet
            return set()
        return {record.key for record in found}

    found = news(dataset, release, trained.versions(dataset, name), keys)
    records = recipe.spec.learns_from.replace("_", " ")
    if len(found.new) < max(least_new, 1):
        return found.too_few(name, records, least_new)
    run = opened(dataset.storage.uri, name, release.tag, config, base, min_gain=margin)
    result = carry_out(run)
    return Retraining(
        name,
        result.reason,
        release.tag,
        len(found.new),
        result.model_id,
        result.promoted,
        _compared(result),
        result.metrics,
    )


def _compared(result: TrainingResult) -> str:
    """`held-out loss 0.1204, remover@…: 0.1310 (64 examples of 7 sources)`."""
    found = result.metrics
    if "loss" not in found:
        return "no source is left that no version was trained on"
    return (
        f"held-out loss {found['loss']:.4f}, {found['rival']}: {found['rival_loss']:.4f} "
        f"({found['examples']} examples of {found['held_out_sources']} sources)"
    )
