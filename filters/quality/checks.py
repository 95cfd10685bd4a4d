"""Faults that need no estimate: a side that was not made, that stopped, or that shows nothing.

Each check compares exact figures (filters.features) with a limit that right edits keep far away
from; what is less plain is left to the trained model. A pair with such a fault is rejected whatever
its score, for the reason that the check is named by.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from filters.base import PairFrames
from filters.features import AGREEMENT_MEASURES, PIXEL_MEASURES, Measures
from filters.features.pixels import planes_of
from filters.quality.descriptor import BY_MEASURES, GROUPS
from filters.quality.limits import LEVEL, FaultLimits
from filters.quality.wording import means_few_tones, names_a_colour

UNTOUCHED, FROZEN, SMEARED = "untouched", "frozen", "smeared"
UNFINISHED = "unfinished"
STRUCTURE_LOST = "structure_lost"
COLOURLESS, COLOURS_LOST = "colourless", "colours_lost"

LIMITS = FaultLimits()


def fault(sample: PairFrames, measures: Measures, limits: FaultLimits = LIMITS) -> str:
    """The first plain fault's reason, or nothing."""
    group = GROUPS.get(sample.task)
    found = dict(zip(AGREEMENT_MEASURES, measures.agreement.tolist(), strict=True))
    found |= measures.plain
    remains = group == "fill" and _remains(found, limits)
    if remains or _unchanged(sample, measures, limits):
        return UNTOUCHED
    stopped = sample.mask is not None and found["outside"] < limits.stopped
    if stopped or _repeats(sample, measures, limits) or found.get("still", 0.0) >= limits.still:
        return FROZEN
    if group == "fill" and _smeared(found, limits):
        return SMEARED
    if found.get("smoothed", 0.0) < limits.smoothed:
        return SMEARED
    if group == "fill" and _jumps(found, limits):
        return FROZEN
    if found.get("undone", 0.0) > limits.undone or found.get("lost", 0.0) > limits.lost:
        return UNFINISHED
    if spoilt := _colours(sample, found, limits):
        return spoilt
    lost = group == "restyle" and edges_kept(sample) < limits.edges_kept
    return STRUCTURE_LOST if lost else ""


def _remains(found: Mapping[str, float], limits: FaultLimits) -> bool:
    """Whether too much of the object is left."""
    return found.get("kept", 0.0) > limits.kept or found["left_places"] > limits.left


def _smeared(found: Mapping[str, float], limits: FaultLimits) -> bool:
    """Whether a fill lacks fine detail, or the gradients of one direction."""
    return found["detail"] < limits.blurred or found.get("flattened", 0.0) < limits.flattened


def _jumps(found: Mapping[str, float], limits: FaultLimits) -> bool:
    """Whether a fill stands while the footage moves on, and so jumps at its rim."""
    seen = found["here"] != 0  # else no place of the hole is ever seen for two steps
    return (
        found["crossing_calm_half"] > limits.jumps
        and found["calm"] < limits.calm
        and not (seen and found["here_half"] > limits.calmer)
    )


def _colours(sample: PairFrames, found: Mapping[str, float], limits: FaultLimits) -> str:
    """What is wrong with a style's colours, if anything is."""
    if found.get("garish", 0.0) > limits.garish or found.get("tones", 0.0) < limits.tones:
        return COLOURS_LOST
    if found.get("banded", 0.0) > limits.banded and not means_few_tones(sample.prompt):
        return COLOURS_LOST
    if names_a_colour(sample.prompt) and found.get("colourful", 1.0) < limits.colourful:
        return COLOURLESS
    return ""


def _unchanged(sample: PairFrames, measures: Measures, limits: FaultLimits) -> bool:
    """Whether some frames are the footage's own while others were edited, or all are."""
    change = measures.pixels[:, 0, PIXEL_MEASURES.index("change")]
    if sample.mask is not None and sample.mask.any():
        change = change[sample.mask.any((1, 2))]  # elsewhere there is nothing to edit
    same = change <= limits.unchanged
    if same.all():
        return True
    return bool(same.mean() >= limits.unchanged_share and np.median(change[~same]) > limits.changed)


def edges_kept(sample: PairFrames, strongest: float = 0.1) -> float:
    """Where the footage's gradients are the `strongest`, the mean of the made side's along them,
    over the mean of the made side's anywhere; the median over the frames. A pattern that knows
    nothing of the footage has about 2/π, the footage itself 2.9 to 7.5 (of the sources to tune
    on); whether contrast is reversed, and what is painted on flat ground, counts little.
    """
    real, made, _ = planes_of(*sample.sides, None, {})
    steep = np.hypot(real.dx, real.dy)
    strong = steep >= np.quantile(steep, 1 - strongest, axis=(1, 2), keepdims=True)
    along = np.abs(real.dx * made.dx + real.dy * made.dy) / np.maximum(steep, LEVEL)
    painted = np.hypot(made.dx, made.dy).mean(axis=(1, 2))
    kept = np.where(strong, along, 0).sum(axis=(1, 2)) / strong.sum(axis=(1, 2))
    return float(np.median(kept / np.maximum(painted, LEVEL)))


def _repeats(sample: PairFrames, measures: Measures, limits: FaultLimits) -> bool:
    """Whether frames repeat while the footage moves: where both sides show the same, or where a
    style was laid over what moves. Within a removal's mask what stands still may repeat itself."""
    region = 1 if GROUPS.get(sample.task) in BY_MEASURES else 0
    names = ("source_motion", "target_motion")
    real, made = names if sample.made == "target" else names[::-1]
    before, after = (
        measures.pixels[1:, region, PIXEL_MEASURES.index(name)] for name in (real, made)
    )
    repeats = (before > limits.moving) & (after < limits.repeated)
    return bool(repeats.sum() >= limits.repeated_share * len(repeats))
