"""Retraining a filter's model on a catalog's footage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from catalog import opening
from catalog.query import Queries
from catalog.records import Release
from catalog.releases import Catalog
from experts import weights
from filters.trained import TrainedModel, file_of, promoted, register, versions
from flows.training.filters.candidates import AUC_MARGIN, CANDIDATES, FilterSettings, ModelCandidate
from flows.training.filters.encoders import EMBEDDED, Named, choice_named
from flows.training.filters.footage import footage_of, sources_of
from flows.training.news import news
from flows.training.retraining import Retraining

SHIPPED = "shipped"
"""What the first version is compared with: the model that comes with editmill."""


def retrained_filter(
    dataset: Catalog,
    release: Release,
    name: str,
    settings: FilterSettings,
    least_new: int,
    margin: float | None,
    encoder: Named = EMBEDDED,
) -> Retraining:
    """Train the filter's model on the release's footage if it has `least_new` new sources, for
    judging by `encoder`'s features, compare it with the present one, and register it; promoted if
    its AUC is `margin` higher."""
    known = versions(dataset, name, choice_named(encoder))
    found = news(dataset, release, known, sources_of)
    if len(found.new) < max(least_new, 1):
        return found.too_few(name, "sources", least_new)
    learnt_from = opening.open(dataset.storage, release.tag)
    footage = footage_of(learnt_from, found.new, settings.max_sources)
    own = [source for source, _ in footage]
    present = promoted(known)
    file = file_of(present.model_id, dataset) if present else None
    candidate = CANDIDATES[name](settings, footage, file, encoder)
    reason = candidate.verdict(AUC_MARGIN if margin is None else margin)
    rival = present.model_id if present else SHIPPED
    row = register(
        dataset,
        TrainedModel(
            name=name,
            data=candidate.data,
            licence=f"Apache-2.0; trained on footage under {_licences(learnt_from, own)}",
            metrics={**candidate.metrics, **_measured(candidate, rival), "verdict": reason},
            sources=[*own, *(weights.entry(sample).sha256 for sample in settings.samples)],
            settings={**settings.model_dump(mode="json"), "encoder": encoder},
            data_ref=release.tag,
            promoted=reason in ("better", "present_outdated"),
        ),
    )
    return Retraining(
        name,
        reason,
        release.tag,
        len(found.new),
        row.model_id,
        row.promoted,
        _compared(row.metrics),
        row.metrics,
    )


def _licences(dataset: Queries, sources: Sequence[str]) -> str:
    rows = dataset.clips().filter(pl.col("source_id").is_in(sources)).select("licence").unique()
    return ", ".join(sorted(set(rows.collect()["licence"]) - {""})) or "?"


def _measured(candidate: ModelCandidate, rival: str) -> dict[str, Any]:
    return {
        "held_out_auc": _rounded(candidate.auc),
        "rival": rival,
        "rival_auc": _rounded(candidate.present_auc),
        "held_out_sources": candidate.sources,
    }


def _rounded(auc: float | None) -> float | None:
    return None if auc is None or math.isnan(auc) else round(auc, 4)


def _compared(measured: Mapping[str, Any]) -> str:
    """`AUC 0.941, shipped: 0.916 (on 25 held-out sources)`."""
    aucs = [measured["held_out_auc"], measured["rival_auc"]]
    own, other = ("not measured" if auc is None else f"{auc:.4f}" for auc in aucs)
    sources = measured["held_out_sources"]
    return f"AUC {own}, {measured['rival']}: {other} (on {sources} held-out sources)"
