"""Depth maps: no arithmetic gives them, so they are only checked for what no depth map can be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.base import PairFrames, Verdict
from filters.construction.planes import FROZEN, chroma, luma, resized, size_of
from filters.construction.verdict import EMPTY_MAP, NOT_GREY, verdict

SIDE = 128
"""px, long side, at which motion is looked at."""


@dataclass(frozen=True, slots=True)
class DepthMaps:
    """Grey, not flat, and not static while the footage moves. Levels of 255."""

    least_range: float = 8.0  # deviation over all frames
    most_chroma: float = 3.0
    static: float = 0.2  # mean change between frames of a map that is static, at most
    moving: float = 4.0  # and of footage that moves, at least
    most_frozen: float = 0.15  # share of the frames

    def judge(self, sample: PairFrames) -> Verdict:
        """Score: share of the frames in which the map moves, or the footage does not."""
        steps = []
        for side in sample.sides:
            small = luma(resized(side, size_of(side, SIDE)))
            steps.append(np.abs(np.diff(small, axis=0)).mean((1, 2)))
        frozen = float(((steps[1] < self.static) & (steps[0] > self.moving)).mean())
        made = sample.sides[1]
        return verdict(
            1 - frozen,
            (EMPTY_MAP, float(luma(made).std()) < self.least_range),
            (NOT_GREY, chroma(made) > self.most_chroma),
            (FROZEN, frozen > self.most_frozen),
        )
