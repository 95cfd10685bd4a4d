"""Deblurring and upscaling: is the source the target with less detail, and visibly so?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from filters.base import PairFrames, Verdict
from filters.construction.planes import (
    Bounds,
    Planes,
    agreement,
    band,
    jumps,
    luma,
    resized,
    size_of,
)
from filters.construction.verdict import (
    FLICKER,
    FOOTAGE_MISMATCH,
    NO_DETAIL,
    SAME_DETAIL,
    verdict,
)

SIDE = 160
"""px, long side, at which the two sides should show the same."""

FINE, COARSE = 2.0, 10.0
"""Standard deviations, px at SIDE, of the band that a blur leaves as it is, or nearly so."""

SHARP = 0.8, 1.6
"""px of the sampled target: the detail that a blur takes first. Finer still, the encoder takes some
from soft or dark footage that nobody blurred."""


@dataclass(frozen=True, slots=True)
class LessDetail:
    """The same picture with its fine detail gone, or of fewer pixels.

    How much of the target's detail the source keeps is a regression of one on the other, so that
    noise laid on afterwards does not count as detail. Of right pairs of four clips in eleven kinds
    of footage: at most .8 of the fine detail (.93 of footage 160 px wide), agreement .96 and more.
    """

    least_detail: float = 0.7  # levels, deviation of the target's coarse detail
    most_kept: float = 0.88  # of the fine detail
    least_kept: float = 0.4  # of the coarse: below, nothing could be restored from it
    fewer_pixels: float = 1.5  # target's over source's, from which the size is a loss by itself
    least_agreement: float = 0.8
    least_distinct: float = 4.0  # deviations; few, since broad light resembles itself all over
    most_displaced: float = 0.025  # share of the long side: a shutter's motion may not be centred
    most_astray: float = 0.01
    most_jump: float = 8.0  # levels by which a frame's light may jump where the target's does not

    def judge(self, sample: PairFrames) -> Verdict:
        """Score: correlation of the two sides' coarse detail, −1…1."""
        real, made = sample.sides
        size = size_of(real, SIDE)
        less, more = (band(luma(resized(side, size)), FINE, COARSE) for side in (made, real))
        found = agreement(less, more)
        bounds = Bounds(
            self.least_agreement, self.least_distinct, self.most_displaced, self.most_astray
        )
        return verdict(
            found.score,
            (SAME_DETAIL, float(more.std()) < self.least_detail),
            found.fault(bounds, FOOTAGE_MISMATCH),
            (NO_DETAIL, kept(less, more) < self.least_kept),
            (SAME_DETAIL, not self._smaller(sample) and self._sharp(sample)),
            (FLICKER, jumps(made, real) > self.most_jump),
        )

    def _smaller(self, sample: PairFrames) -> bool:
        sizes = sample.sizes or (sample.source.shape[1:3], sample.target.shape[1:3])
        source, target = (height * width for height, width in sizes)
        return target >= self.fewer_pixels * source

    def _sharp(self, sample: PairFrames) -> bool:
        real, made = sample.sides
        height, width = real.shape[1:3]
        fine = [band(luma(resized(side, (width, height))), *SHARP) for side in (made, real)]
        return kept(*fine) > self.most_kept


def kept(made: Planes, real: Planes) -> float:
    """Share of `real` that is in `made`, by regression: 1 all, 0 none, whatever noise was added."""
    x: NDArray[np.float64] = real.astype(np.float64)
    return float((x * made).sum() / max(float((x * x).sum()), 1e-6))
