"""What a quality model is worth: AUC of good against broken edits on footage it never saw, and
whether two trainings agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.quality.model import QualityModel
from filters.quality.training.training_set import TrainingSet
from filters.roc import auc
from filters.rules import QUALITY_THRESHOLD


def evaluate(
    model: QualityModel,
    examples: TrainingSet,
    unseen_clips: NDArray,
    threshold: float = QUALITY_THRESHOLD,
) -> dict[str, Any]:
    """The metrics that travel with a model.

    `auc_unseen_sources`, `good_kept` and `broken_kept` (shares at `threshold`) are of `model`, each
    pair scored by folds that were not trained on its source. `unseen_clips` [n] are the scores of
    a model whose folds hold out clips instead, and so may know other clips of the same source:
    `auc`, `auc_per_breakage` and `auc_per_task` are of those; null where a task has no broken edit.
    """
    good = examples.good
    unseen_sources = model.score(examples.x, examples.sources)
    tasks, kinds = np.array(examples.tasks), np.array(examples.kinds)
    return {
        "samples": len(good),
        "sources": len(set(examples.sources)),
        "clips": len(set(examples.clips)),
        "threshold": threshold,
        "auc": _auc(unseen_clips, good),
        "auc_unseen_sources": _auc(unseen_sources, good),
        "auc_per_breakage": {
            kind: _auc(unseen_clips[rows], good[rows])
            for kind in sorted({k for k, g in zip(examples.kinds, good, strict=True) if not g})
            for rows in [good | (kinds == kind)]
        },
        "auc_per_task": {
            task: _auc(unseen_clips[tasks == task], good[tasks == task])
            for task in sorted(set(examples.tasks))
        },
        "good_kept": round(float((unseen_sources[good] >= threshold).mean()), 4),
        "broken_kept": round(float((unseen_sources[~good] >= threshold).mean()), 4),
    }


def _auc(scores: NDArray, good: NDArray[np.bool_]) -> float | None:
    if good.all() or not good.any():
        return None
    return round(auc(scores[good], scores[~good]), 4)


@dataclass(frozen=True, slots=True)
class ModelAgreement:
    """How two models judge the same pairs, each pair by folds not trained on its source.

    `same_verdict`: share of the pairs that both keep or both reject; `score_difference`: mean
    absolute difference of the scores, 0–1; `aucs`: of the one and the other.
    """

    same_verdict: float
    score_difference: float
    aucs: tuple[float, float]

    def holds(self, same_verdict: float = 0.97, auc_difference: float = 0.005) -> bool:
        """Whether the one may pass for the other.

        Two trainings on one machine give the same model. On another processor the last bits of
        the features differ, and training carries that on: see infra/bench/results/quality.md for
        what that came to, and what another seed comes to, between which the defaults lie.
        """
        gap = abs(self.aucs[0] - self.aucs[1])
        return self.same_verdict >= same_verdict and gap <= auc_difference

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, with `holds`."""
        return {
            "holds": self.holds(),
            "same_verdict": round(self.same_verdict, 4),
            "score_difference": round(self.score_difference, 4),
            "auc": [round(value, 4) for value in self.aucs],
        }


def agreement(
    one: QualityModel,
    other: QualityModel,
    examples: TrainingSet,
    threshold: float = QUALITY_THRESHOLD,
) -> ModelAgreement:
    """Of two models on the training pairs. Raises EditmillError where one of them was trained on a
    pair's footage in every fold."""
    good = examples.good
    scores = [model.score(examples.x, examples.sources) for model in (one, other)]
    kept = [s >= threshold for s in scores]
    aucs = [auc(s[good], s[~good]) for s in scores]
    return ModelAgreement(
        float((kept[0] == kept[1]).mean()),
        float(np.abs(scores[0] - scores[1]).mean()),
        (aucs[0], aucs[1]),
    )


def describe_metrics(metrics: Mapping[str, Any]) -> str:
    """The metrics as a few lines for a person."""
    lines = [
        f"quality filter: AUC {metrics['auc']:.3f} on clips it never saw "
        f"({metrics['samples']} pairs of {metrics['clips']} clips), "
        f"{metrics['auc_unseen_sources']:.3f} on sources it never saw",
        f"at {metrics['threshold']}: keeps {metrics['good_kept']:.1%} of the good edits, "
        f"{metrics['broken_kept']:.1%} of the broken ones",
    ]
    for title in ("auc_per_breakage", "auc_per_task"):
        row = ", ".join(f"{k} {v:.3f}" for k, v in metrics[title].items() if v is not None)
        lines.append(f"{title.replace('_', ' ')}: {row}")
    return "\n".join(lines)
