"""Rejects failed edits by the score of a trained model (filters.quality.model).

Señorita-2M (quality filter) trains such an ensemble of classifiers on hand-labelled pairs. Here the
labels are made: good edits, and the same edits broken on purpose (filters.quality.training).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from catalog.errors import EditmillError
from catalog.policy import Threshold
from filters.base import ABSTAINED, NOT_MEASURED, PairSample, Verdict
from filters.construction import CONSTRUCTED
from filters.encoder.base import Encoder
from filters.features import PairFeatures, describe, measures_of
from filters.quality.descriptor import (
    BY_MEASURES,
    GROUPS,
    Vector,
    descriptor,
    features_version,
    measures_descriptor,
    stacked,
)
from filters.quality.model import QualityModel
from filters.rules import QUALITY_THRESHOLD

EDIT_FAILED = "edit_failed"


class QualityFilter:
    """Keeps a pair whose score reaches the threshold; the score is the probability of a good edit.

    Tasks that filters.construction checks are not measured: there is nothing to estimate. `model`
    is a model or the path of one, read when it is first needed; with None (an encoder that no model
    was trained for) the filter abstains. `thresholds` overrides per task.
    """

    name = "quality"

    def __init__(
        self,
        encoder: Encoder,
        model: QualityModel | Path | None,
        threshold: float = QUALITY_THRESHOLD,
        thresholds: Mapping[str, float] | None = None,
    ) -> None:
        self.encoder = encoder
        self.threshold = threshold
        self.thresholds = dict(thresholds or {})
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
            f"with `editmill train quality --encoder … --out FILE` and name it as the recipe's "
            "filters.quality_model"
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
        """Changes with the model and with the encoder that its features come from."""
        return f"2+{self.encoder.version}+{self.model_version}"

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

    def judge(self, samples: Sequence[PairSample]) -> list[Verdict]:
        """One verdict per sample, in order. The encoder is only asked where a task needs it."""
        rows: list[Vector | None] = [None] * len(samples)
        of_pixels = [i for i, s in enumerate(samples) if GROUPS.get(s.task) in BY_MEASURES]
        others = [i for i, s in enumerate(samples) if self._estimates(s) and i not in of_pixels]
        for i, measures in zip(of_pixels, measures_of([samples[i] for i in of_pixels]), strict=True):
            rows[i] = measures_descriptor(measures, samples[i])
        for i, found in zip(
            others, describe([samples[i] for i in others], self.encoder), strict=True
        ):
            rows[i] = descriptor(found, samples[i])
        return self._decided(samples, rows)

    def verdicts(
        self, samples: Sequence[PairSample], features: Sequence[PairFeatures]
    ) -> list[Verdict]:
        """The same from features already computed."""
        rows = [
            descriptor(f, s) if self._estimates(s) else None
            for f, s in zip(features, samples, strict=True)
        ]
        return self._decided(samples, rows)

    def _estimates(self, sample: PairSample) -> bool:
        return sample.task not in CONSTRUCTED

    def _decided(
        self, samples: Sequence[PairSample], rows: Sequence[Vector | None]
    ) -> list[Verdict]:
        out = [Verdict(True, None, NOT_MEASURED)] * len(samples)
        estimated = [i for i, s in enumerate(samples) if self._estimates(s)]
        if self.abstains:
            for i in estimated:
                out[i] = Verdict(True, None, ABSTAINED)
        elif estimated:
            x = stacked([row for row in rows if row is not None])
            scores = self._loaded().score(x, [samples[i].source_id for i in estimated])
            for i, score in zip(estimated, scores, strict=True):
                out[i] = self._verdict(samples[i].task, float(score))
        return out

    def _verdict(self, task: str, score: float) -> Verdict:
        keep = score >= self.thresholds.get(task, self.threshold)
        return Verdict(keep, score, "" if keep else EDIT_FAILED)

    def _loaded(self) -> QualityModel:
        if self._model is None:
            assert self._path is not None
            self._model = QualityModel.load(self._path)
        return self._model
