"""Training a filter's model on a catalog, and comparing it with the present one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import Field

from catalog.errors import EditmillError
from catalog.validated import Part, mapping, validated
from filters.alignment.style_probe import StyleProbes
from filters.alignment.train import on_unseen
from filters.encoder.embedded import EmbeddedEncoder
from filters.quality.descriptor import features_version
from filters.quality.model import QualityModel
from filters.quality.training.ensemble import MLPS
from filters.quality.training.evaluation import agreement
from filters.quality.training.labelled import LabelComparison, on_labels
from filters.quality.training.train import SAMPLES
from flows.training.filters import alignment, quality
from flows.training.filters.encoders import Named, encoder_named
from flows.training.filters.footage import TrainingMaterial

AUC_MARGIN = 0.005
"""By how much the AUC of a better model is higher at least: another seed of the same training moves
it by .004 (infra/bench/results/quality.md)."""


PROMOTED = frozenset({"better", "better_on_labels", "present_outdated"})
"""Verdicts on a new model (:meth:`ModelCandidate.verdict`) with which it takes the present one's
place."""


class FilterSettings(Part):
    """The YAML file of a filter's retraining."""

    samples: tuple[str, ...] = SAMPLES  # clips by slot of experts/weights/weights.toml
    max_sources: int = Field(default=20, ge=1)  # of the catalog; each takes about a minute
    windows: int = Field(default=6, ge=1)  # quality: clips taken from each video
    mlps_per_fold: int = Field(default=len(MLPS), ge=2, le=len(MLPS))  # quality
    frames: int = Field(default=3, ge=1)  # alignment: of each clip, painted in every style
    seed: int = 0

    @classmethod
    def load(cls, path: Path | None) -> FilterSettings:
        """Those of the file, or the defaults. Raises EditmillError in one line."""
        if path is None:
            return cls()
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise EditmillError(f"{path}: can't be read ({error}); check the path") from None
        shape = f"the settings of a filter are a mapping of: {', '.join(cls.model_fields)}"
        return validated(cls, mapping(text, str(path), shape), str(path))


@dataclass(frozen=True, slots=True)
class ModelCandidate:
    """A new model's file, and its AUC beside the present model's on the same held-out sources.

    present_auc: None where the present model cannot judge with this version of the features.
    sources: how many were held out, each in its turn. labels: how many pairs that people labelled
    it learnt from. on_labels: both models on these; None where there are too few.
    """

    data: bytes = field(repr=False)
    metrics: Mapping[str, Any]
    auc: float
    present_auc: float | None
    sources: int
    labels: int = 0
    on_labels: LabelComparison | None = None

    def verdict(self, margin: float) -> str:
        """One of PROMOTED, or why not: `not_better`, `nothing_unseen`, `worse_on_labels`.

        A model is better whose AUC is `margin` higher and that is not clearly worse on labels, or
        that is clearly better on labels and whose AUC is not lower by more than chance makes it.
        """
        if self.present_auc is None:
            return "present_outdated"
        if math.isnan(self.auc) or math.isnan(self.present_auc):
            return "nothing_unseen"
        higher = self.auc >= self.present_auc + margin
        if self.on_labels and self.on_labels.clearly_worse and higher:
            return "worse_on_labels"
        if higher:
            return "better"
        as_high = self.auc > self.present_auc - AUC_MARGIN
        if self.on_labels and self.on_labels.clearly_better and as_high:
            return "better_on_labels"
        return "not_better"


def quality_candidate(
    settings: FilterSettings, material: TrainingMaterial, present: Path | None, encoder: Named
) -> ModelCandidate:
    """Both models judge all training pairs, each pair by folds not trained on its source."""
    old = QualityModel.load(present or quality.SHIPPED)
    examples = quality.make_training_pairs(
        settings.samples,
        settings.windows,
        settings.seed,
        material.footage,
        material.labelled,
        encoder,
    )
    model = quality.fit(
        examples, settings.samples, settings.seed, settings.mlps_per_fold, material.footage, encoder
    )
    present_auc, auc = None, float(model.metrics["auc_unseen_sources"])
    compared = None
    if old.features == features_version(encoder_named(encoder)):
        present_auc, auc = agreement(old, model, examples).aucs
        compared = on_labels(model, old, examples, settings.seed)
    return ModelCandidate(
        model.to_bytes(),
        model.metrics,
        auc,
        present_auc,
        model.metrics["sources"],
        int(examples.labelled.sum()),
        compared,
    )


def alignment_candidate(
    settings: FilterSettings, material: TrainingMaterial, present: Path | None, encoder: Named
) -> ModelCandidate:
    """Both sets of probes judge the painted frames of sources that neither was trained on.

    Raises EditmillError for another encoder than the embedded one: its filter has no probes.
    """
    given = encoder_named(encoder)
    if not isinstance(given, EmbeddedEncoder):
        raise EditmillError(
            f"alignment: with {given.name} the filter has nothing to train, it compares the target "
            f"with its prompt; its threshold: editmill calibrate --encoder {given.name}"
        )
    old = StyleProbes.load(present or alignment.SHIPPED)
    probes, painted = alignment.paint_and_fit(
        settings.samples, settings.frames, settings.seed, material.footage
    )
    if old.encoder != given.version:
        aucs = [found["auc"] for found in probes.metrics.values()]
        clips = len({example.source_id for frames in painted.values() for example in frames})
        return ModelCandidate(probes.to_bytes(), probes.metrics, fmean(aucs), None, clips)
    found = on_unseen(old, painted, given)
    return ModelCandidate(
        probes.to_bytes(), probes.metrics, found.auc, found.other_auc, found.sources
    )


MakeCandidate = Callable[[FilterSettings, TrainingMaterial, Path | None, Named], ModelCandidate]

CANDIDATES: dict[str, MakeCandidate] = {
    "quality": quality_candidate,
    "alignment": alignment_candidate,
}
"""By filter."""
