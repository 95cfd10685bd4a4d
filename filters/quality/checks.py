"""Faults that need no estimate: a side that was not made, that stopped, or that shows nothing.

Each check compares exact figures (filters.features) with a limit that right edits keep far away
from; what is less plain is left to the trained model. A pair with such a fault is rejected whatever
its score, for the reason that the check is named by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.base import PairSample
from filters.features import AGREEMENT_MEASURES, PIXEL_MEASURES, Measures
from filters.features.pixels import planes_of
from filters.quality.descriptor import BY_MEASURES, GROUPS

UNTOUCHED, FROZEN, SMEARED = "untouched", "frozen", "smeared"
STRUCTURE_LOST = "structure_lost"

LEVEL = 1 / 255


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a fault is plain. Chosen on the footage that infra/bench/split.toml says may be tuned
    on; infra/bench/results/quality.md has what right and broken edits reach there and elsewhere.

    - `left`: of a removal, share of the object's pixels that are still nearer to the object than to
      what other frames show there
    - `unchanged`, `changed`, colour 0–1, and `unchanged_share`: of the frames, at least that share
      differs from the footage by no more than a codec's noise while the others differ plainly
    - `stopped`: log of the made side's change from frame to frame over the footage's, outside of
      what was edited, where both show the same
    - `repeated`, `moving`, luma 0–1, and `repeated_share`: steps in which the made side repeats its
      frame while the footage moves
    - `jumps`, `calm`: of a removal, log of the fill's change where the hole comes or goes over that
      within it, in the half of the clip where it is greatest, and log of the change within over
      that around it: a fill that repeats itself while the footage moves on
    - `blurred`: log of a fill's fine detail over that of what other frames show there
    - `edges_kept`: of a whole clip's style, how much stronger its edges are along the footage's
      strongest than elsewhere (see `edges_kept`)
    """

    left: float = 0.35
    unchanged: float = 1.5 * LEVEL
    changed: float = 8 * LEVEL
    unchanged_share: float = 0.2
    stopped: float = -0.25
    repeated: float = 0.4 * LEVEL
    moving: float = 2.0 * LEVEL
    repeated_share: float = 0.25
    jumps: float = 0.85
    calm: float = -0.2
    blurred: float = -1.1
    edges_kept: float = 1.5


LIMITS = Limits()


def fault(sample: PairSample, measures: Measures, limits: Limits = LIMITS) -> str:
    """The first plain fault's reason, or nothing."""
    group = GROUPS.get(sample.task)
    found = dict(zip(AGREEMENT_MEASURES, measures.agreement.tolist(), strict=True))
    remains = group == "fill" and found["left_places"] > limits.left
    if remains or _unchanged(sample, measures, limits):
        return UNTOUCHED
    stopped = sample.mask is not None and found["outside"] < limits.stopped
    if stopped or _repeats(sample, measures, limits):
        return FROZEN
    if group == "fill" and found["detail"] < limits.blurred:
        return SMEARED
    jumps = found["crossing_calm_half"] > limits.jumps and found["calm"] < limits.calm
    if group == "fill" and jumps:
        return FROZEN
    if group == "restyle" and edges_kept(sample) < limits.edges_kept:
        return STRUCTURE_LOST
    return ""


def _unchanged(sample: PairSample, measures: Measures, limits: Limits) -> bool:
    """Whether some frames are the footage's own while others were edited, or all are."""
    change = measures.pixels[:, 0, PIXEL_MEASURES.index("change")]
    if sample.mask is not None and sample.mask.any():
        change = change[sample.mask.any((1, 2))]  # elsewhere there is nothing to edit
    same = change <= limits.unchanged
    if same.all():
        return True
    return bool(same.mean() >= limits.unchanged_share and np.median(change[~same]) > limits.changed)


def edges_kept(sample: PairSample, strongest: float = 0.1) -> float:
    """Where the footage's gradients are the `strongest`, the mean of the made side's along them,
    over the mean of the made side's anywhere; the median over the frames. A pattern that knows
    nothing of the footage has 2/π, footage itself 2 to 6; whether contrast is reversed and what is
    painted on flat ground between its edges count little.
    """
    real, made, _ = planes_of(*sample.sides, None, {})
    steep = np.hypot(real.dx, real.dy)
    strong = steep >= np.quantile(steep, 1 - strongest, axis=(1, 2), keepdims=True)
    along = np.abs(real.dx * made.dx + real.dy * made.dy) / np.maximum(steep, LEVEL)
    painted = np.hypot(made.dx, made.dy).mean(axis=(1, 2))
    kept = np.where(strong, along, 0).sum(axis=(1, 2)) / strong.sum(axis=(1, 2))
    return float(np.median(kept / np.maximum(painted, LEVEL)))


def _repeats(sample: PairSample, measures: Measures, limits: Limits) -> bool:
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
