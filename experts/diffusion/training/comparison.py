"""Whether a new version is promoted: its comparison with the version in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import Field

from catalog.records import ModelRow
from catalog.validated import Part
from experts.diffusion.training.recipe import Share

UNTRAINED = "untrained"
"""What a first version is compared with: the expert around its base, before training."""


class EvaluationSettings(Part):
    """The `evaluate` part of a training's settings; the figures are our own choices."""

    examples: int = Field(default=64, ge=1)  # held-out examples at most
    noise_levels: int = Field(default=8, ge=1)  # timesteps, evenly over the schedule
    sampled: int = Field(default=8, ge=0)  # examples that are sampled, too, for the PSNR
    steps: int = Field(default=20, ge=1)  # denoising steps of that sampling
    min_gain: Share = 0.0  # share by which the loss must be lower
    max_psnr_drop: float = Field(default=0.5, ge=0)  # dB that a version of lower loss may lose


@dataclass(frozen=True, slots=True)
class Scores:
    """Of one model on held-out examples.

    loss: mean squared error of the predicted velocity over `examples`.
    psnr: dB, mean over the `sampled` ones, inside the mask (over the frame, for an expert without
        masks); None where none was sampled.
    """

    loss: float
    psnr: float | None
    examples: int
    sampled: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """`reason` is a short machine word: `better`, `loss_not_lower`, `psnr_lower`, `not_finite` or
    `nothing_unseen`; `metrics` go into the version's row."""

    promoted: bool
    reason: str
    metrics: dict[str, Any]


def compare(
    candidate: Scores | None,
    rival: Scores | None,
    settings: EvaluationSettings,
    current: ModelRow | None,
    sources: int,
) -> Comparison:
    """Promoted is a candidate of lower loss whose PSNR is at most `max_psnr_drop` lower.

    The loss decides: both models get the same noise, so it varies little by chance. The few sampled
    examples only have a veto. `current` is the rival's row, None for the untrained expert; the
    scores are None where no source is left that neither version was trained on.
    """
    name = current.model_id if current else UNTRAINED
    if candidate is None or rival is None:
        return Comparison(False, "nothing_unseen", {"rival": name, "held_out_sources": 0})
    metrics = {
        "loss": round(candidate.loss, 6),
        "psnr": _rounded(candidate.psnr),
        "rival": name,
        "rival_loss": round(rival.loss, 6),
        "rival_psnr": _rounded(rival.psnr),
        "examples": candidate.examples,
        "sampled": candidate.sampled,
        "held_out_sources": sources,
    }
    if not candidate.loss < float("inf"):
        reason = "not_finite"
    elif candidate.loss >= rival.loss * (1 - settings.min_gain):
        reason = "loss_not_lower"
    elif (
        candidate.psnr is not None
        and rival.psnr is not None
        and candidate.psnr < rival.psnr - settings.max_psnr_drop
    ):
        reason = "psnr_lower"
    else:
        reason = "better"
    return Comparison(reason == "better", reason, metrics | {"verdict": reason})


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
