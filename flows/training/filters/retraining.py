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
from catalog.wording import counted
from experts import weights
from filters.quality.training.labelled import LabelComparison, LabelledPair
from filters.trained import TrainedModel, file_of, labels_learnt, promoted, register, versions
from flows.runtime.orchestration.run_log import tell
from flows.training.filters.candidates import (
    AUC_MARGIN,
    CANDIDATES,
    PROMOTED,
    FilterSettings,
    ModelCandidate,
)
from flows.training.filters.encoders import EMBEDDED, Named, choice_named
from flows.training.filters.footage import TrainingMaterial, footage_of, sources_of
from flows.training.filters.labels import labelled_pairs
from flows.training.news import News, news
from flows.training.retraining import Retraining

LEARNS_FROM_LABELS = frozenset({"quality"})
"""Filters whose training examples include labelled pairs."""

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
    """Train the filter's model on the release's footage, and on what people said of its pairs, if
    there are `least_new` new sources or so many new labels, for judging by `encoder`'s features.
    Compare it with the present one, and register it; promoted if it is better by
    :meth:`ModelCandidate.verdict`."""
    known = versions(dataset, name, choice_named(encoder))
    found = news(dataset, release, known, sources_of)
    learnt_from = opening.open(dataset.storage, release.tag)
    labelled = labelled_pairs(learnt_from, tell) if name in LEARNS_FROM_LABELS else []
    labels = {each.label.label_id for each in labelled}
    new_labels = len(labels - (labels_learnt(dataset, known[-1]) if known else set()))
    if max(len(found.new), new_labels) < max(least_new, 1):
        return _too_few(found, name, new_labels, len(labels), least_new)
    footage = footage_of(learnt_from, found.new, settings.max_sources)
    own = sorted({*(source for source, _ in footage), *_sources(labelled)})
    present = promoted(known)
    file = file_of(present.model_id, dataset) if present else None
    candidate = CANDIDATES[name](settings, TrainingMaterial(footage, labelled), file, encoder)
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
            labels=labels,
            settings={**settings.model_dump(mode="json"), "encoder": encoder},
            data_ref=release.tag,
            promoted=reason in PROMOTED,
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
        new_labels,
    )


def _too_few(found: News, name: str, new_labels: int, labels: int, least_new: int) -> Retraining:
    """What a retraining comes to that has too few new sources and labels to learn from."""
    if not labels:
        return found.too_few(name, "sources", least_new)
    reason = (
        f"release {found.release}: {len(found.new)} of {found.total} sources and {new_labels} of "
        f"{labels} labels are new, and {least_new} of either are asked for (least_new)"
    )
    return Retraining(name, reason, found.release, len(found.new), new_labels=new_labels)


def _sources(labelled: Sequence[LabelledPair]) -> set[str]:
    """The ids of all sources that these pairs show."""
    donors = (each.record.params.get("donor", {}).get("source_id") for each in labelled)
    return {*(each.record.source_id for each in labelled), *filter(None, donors)}


def _licences(dataset: Queries, sources: Sequence[str]) -> str:
    rows = dataset.clips().filter(pl.col("source_id").is_in(sources)).select("licence").unique()
    return ", ".join(sorted(set(rows.collect()["licence"]) - {""})) or "?"


def _measured(candidate: ModelCandidate, rival: str) -> dict[str, Any]:
    return {
        "held_out_auc": _rounded(candidate.auc),
        "rival": rival,
        "rival_auc": _rounded(candidate.present_auc),
        "held_out_sources": candidate.sources,
        "labels": candidate.labels,
    } | _measured_on_labels(candidate.on_labels)


def _measured_on_labels(found: LabelComparison | None) -> dict[str, Any]:
    if found is None:
        return {}
    own, rival = found.aucs
    return {
        "labels_auc": round(own, 4),
        "labels_rival_auc": round(rival, 4),
        "labels_worse": round(found.worse, 3),
        "labels_better": round(found.better, 3),
    }


def _rounded(auc: float | None) -> float | None:
    return None if auc is None or math.isnan(auc) else round(auc, 4)


def _compared(measured: Mapping[str, Any]) -> str:
    """`AUC 0.941, shipped: 0.916 (on 25 held-out sources); on 40 labels .8, shipped: .7`."""
    aucs = [measured["held_out_auc"], measured["rival_auc"]]
    own, other = ("not measured" if auc is None else f"{auc:.4f}" for auc in aucs)
    sources = measured["held_out_sources"]
    line = f"AUC {own}, {measured['rival']}: {other} (on {sources} held-out sources)"
    if not (labels := measured["labels"]):
        return line
    if "labels_auc" not in measured:
        few = "" if measured["rival_auc"] is None else ", too few to compare on"
        return f"{line}; learnt from {counted(labels, 'label')}{few}"
    own, other = measured["labels_auc"], measured["labels_rival_auc"]
    return f"{line}; on {labels} labels {own:.4f}, {measured['rival']}: {other:.4f}"
