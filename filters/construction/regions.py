"""Object grounding: do saturated colours lie on the tracked objects, and nothing else on black?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.base import PairFrames, Verdict
from filters.construction.holes import cores, least
from filters.construction.verdict import EMPTY_MAP, FULL_MAP, MAP_MISMATCH, verdict

BRIGHT = 96
SATURATED = 64
DARK = 56
"""Levels of 255: of a painted pixel the largest channel and its excess over the smallest, at least;
of an unpainted one the largest, at most. Colours are painted at 255 and 0, and encoded once."""


@dataclass(frozen=True, slots=True)
class Regions:
    """Shares are of pixels well inside or well outside the mask; without one, of all."""

    least_area: float = 0.0002  # of the picture, mean over the frames: about 5 × 5 px of 480 × 270
    most_area: float = 0.9
    least_right: float = 0.9  # share, of every frame, that is as it should be

    def judge(self, sample: PairFrames) -> Verdict:
        """Score: share of the objects that is painted or of the rest that is black, whichever is
        less; without a mask the share that is one or the other."""
        _, made = sample.sides
        most, few = made.max(-1), made.min(-1)
        painted = (most >= BRIGHT) & (most - few >= SATURATED)
        black = most <= DARK
        if sample.mask is None:
            score = least(painted | black, np.ones(painted.shape, bool))
        else:
            inner, outer = cores(sample.mask)
            score = min(least(painted, inner), least(black, outer))
        area = float(painted.mean())
        return verdict(
            score,
            (EMPTY_MAP, area < self.least_area),
            (FULL_MAP, area > self.most_area),
            (MAP_MISMATCH, score < self.least_right),
        )
