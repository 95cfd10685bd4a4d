"""Rejects failed edits: what is plain by checks (filters.quality.checks), the rest by the score of
a trained model (filters.quality.model).

Señorita-2M (quality filter) trains such an ensemble of classifiers on hand-labelled pairs. Here the
labels are made: good edits, and the same edits broken on purpose (filters.quality.training).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.errors import EditmillError
from catalog.keys import digest
from catalog.policy import Threshold
from filters.base import ABSTAINED, NOT_MEASURED, PairFrames, Verdict
from filters.construction import CONSTRUCTED
from filters.encoder.base import Encoder
from filters.features import Measures, PairFeatures, describe, measures_of
from filters.quality.checks import LIMITS, fault
from filters.quality.descriptor import (
    BY_MEASURES,
    GROUPS,
    Vector,
    descriptor,
    features_version,
    measures_descriptor,
    stacked,
)
from filters.quality.limits import FaultLimits
from filters.quality.model import QualityModel
from filters.rules import QUALITY_THRESHOLD

EDIT_FAILED = "edit_failed"


class QualityFilter:
    """Keeps a pair without a plain fault whose score reaches the threshold; the score is the
    probability of a good edit.

    Tasks that filters.construction checks are not measured: there is nothing to estimate. `model`
    is a model or the path of one, read when it is first needed; with None (an encoder that no model
    was trained for) the filter abstains. `thresholds` overrides per task; `limits` are the checks'.
    """

    name = "quality"

    def __init__(
        self,
        encoder: Encoder,
        model: QualityModel | Path | None,
        threshold: float = QUALITY_THRESHOLD,
        thresholds: Mapping[str, float] | None = None,
        *,
        limits: FaultLimits = LIMITS,
    ) -> None:
        self.encoder = encoder
        self.threshold = threshold
        self.thresholds = dict(thresholds or {})
        self.limits = limits
        self._path = model if isinstance(model, Path) else None
        self._model = None if isinstance(model, Path) else model
        self.abstains = model is None

    @property
    def uncalibrated(self) -> str:
        """Why it abstains and what to do about it, in one line; empty if it does not."""
        if not self.abstains:
            return ""
        return (
            f"{self.name}: no model was trained on {self.encoder.scale}, so it abstains; train one "
            "with `editmill train quality --encoder … --out FILE` and name it as the recipe's "
            "filters.quality_model, or with `editmill retrain quality` and say `latest` there"
        )

    @property
    def model_version(self) -> str:
        """8 hex characters of the model's SHA-256; `none` where there is no model."""
        if self.abstains:
            return "none"
        return hashlib.sha256(self._loaded().to_bytes()).hexdigest()[:8]

    @property
    def metrics(self) -> Mapping[str, Any]:
        """What the model's training measured (filters.quality.training.evaluation); empty where
        there is no model."""
        return {} if self.abstains else self._loaded().metrics

    @property
    def version(self) -> str:
        """Changes with the model, with the encoder that its features come from, and with limits
        that are not the usual ones."""
        limits = "" if self.limits == LIMITS else f"+{digest(dataclasses.astuple(self.limits))[:8]}"
        return f"5+{self.encoder.version}+{self.model_version}{limits}"

    @property
    def cut(self) -> Threshold:
        """Where it cuts its score."""
        return Threshold(self.name, "at_least", EDIT_FAILED, self.threshold, self.thresholds)

    def load(self) -> None:
        """Opens encoder and model. Raises EditmillError if there is no such file, or if the model
        was trained on other features."""
        self.encoder.load()
        if self.abstains:
            return
        model = self._loaded()
        if model.features != (known := features_version(self.encoder)):
            raise EditmillError(
                f"the quality model was trained on features of version {model.features}, not "
                f"{known} of {self.encoder.name}; train one for this encoder: editmill train "
                "quality --out quality.safetensors (with --encoder … where it is not the embedded)"
            )

    def close(self) -> None:
        """Frees the model. The encoder is shared: whoever made it closes it."""
        if self._path is not None:
            self._model = None

    def judge(self, samples: Sequence[PairFrames]) -> list[Verdict]:
        """One verdict per sample, in order. The encoder is only asked where a task needs it."""
        described: list[_Described | None] = [None] * len(samples)
        estimated = [i for i, s in enumerate(samples) if s.task not in CONSTRUCTED]
        of_pixels = [i for i in estimated if GROUPS.get(samples[i].task) in BY_MEASURES]
        for i, found in zip(of_pixels, measures_of([samples[i] for i in of_pixels]), strict=True):
            described[i] = _Described(samples[i], found, measures_descriptor(found, samples[i]))
        others = [i for i in estimated if i not in of_pixels]
        seen = describe([samples[i] for i in others], self.encoder)
        for i, features in zip(others, seen, strict=True):
            described[i] = _described(samples[i], features)
        return self._verdicts(described)

    def verdicts(
        self, samples: Sequence[PairFrames], features: Sequence[PairFeatures]
    ) -> list[Verdict]:
        """The same from features already computed."""
        return self._verdicts(
            [
                None if s.task in CONSTRUCTED else _described(s, f)
                for s, f in zip(samples, features, strict=True)
            ]
        )

    def _verdicts(self, described: Sequence[_Described | None]) -> list[Verdict]:
        """None: not measured."""
        estimated = [each for each in described if each is not None]
        if self.abstains or not estimated:
            verdicts = [Verdict(True, None, ABSTAINED)] * len(estimated)
        else:
            x = stacked([each.descriptor for each in estimated])
            scores = self._loaded().score(x, [each.sample.source_id for each in estimated])
            verdicts = [
                self._verdict(each, float(score))
                for each, score in zip(estimated, scores, strict=True)
            ]
        judged = iter(verdicts)
        return [
            Verdict(True, None, NOT_MEASURED) if each is None else next(judged)
            for each in described
        ]

    def _verdict(self, described: _Described, score: float) -> Verdict:
        plain = fault(described.sample, described.measures, self.limits)
        if plain:
            return Verdict(False, score, plain, final=True)
        keep = score >= self.thresholds.get(described.sample.task, self.threshold)
        return Verdict(keep, score, "" if keep else EDIT_FAILED)

    def _loaded(self) -> QualityModel:
        if self._model is None:
            assert self._path is not None
            self._model = QualityModel.load(self._path)
        return self._model


@dataclass(frozen=True, slots=True)
class _Described:
    """A pair to be judged."""

    sample: PairFrames
    measures: Measures
    descriptor: Vector


def _described(sample: PairFrames, features: PairFeatures) -> _Described:
    return _Described(sample, features.measures, descriptor(features, sample))
