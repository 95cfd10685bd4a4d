"""Whether a version is better than the one that serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalog.records import ModelRow
from experts.diffusion.training.evaluation import Measures
from flows.training.experts.settings import Judging

UNTRAINED = "untrained"
"""The rival of a first version: the expert around its base, before training."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is a short machine word: `better`, `loss_not_lower`, `psnr_lower`, `not_finite` or
    `nothing_unseen`; `metrics` go into the version's row."""

    promoted: bool
    reason: str
    metrics: dict[str, Any]


def compared(
    mine: Measures | None,
    theirs: Measures | None,
    rules: Judging,
    current: ModelRow | None,
    sources: int,
) -> Verdict:
    """Better is a lower loss that costs no more PSNR than allowed.

    The loss decides, as it is of the same noise for both and so hardly of chance; the few painted
    examples only have a veto. None for both where no clip was left that neither had seen.
    """
    rival = current.model_id if current else UNTRAINED
    if mine is None or theirs is None:
        return Verdict(False, "nothing_unseen", {"rival": rival, "held_out_sources": 0})
    metrics = {
        "loss": round(mine.loss, 6),
        "psnr": _rounded(mine.psnr),
        "rival": rival,
        "rival_loss": round(theirs.loss, 6),
        "rival_psnr": _rounded(theirs.psnr),
        "examples": mine.examples,
        "sampled": mine.sampled,
        "held_out_sources": sources,
    }
    if not mine.loss < float("inf"):
        reason = "not_finite"
    elif mine.loss >= theirs.loss * (1 - rules.min_gain):
        reason = "loss_not_lower"
    elif (
        mine.psnr is not None
        and theirs.psnr is not None
        and mine.psnr < theirs.psnr - rules.max_psnr_drop
    ):
        reason = "psnr_lower"
    else:
        reason = "better"
    return Verdict(reason == "better", reason, metrics | {"verdict": reason})


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
