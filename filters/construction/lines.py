"""Edge maps and scribbles: is the map that of this footage at this moment, and worth having?

Under a map's lines the footage has edges, whatever detector drew them: the map is compared with
the strength of the footage's gradient. No detector is run again, so one that failed is found too.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from filters.base import Frames, PairFrames, Verdict
from filters.construction.planes import (
    Bounds,
    Planes,
    agreement,
    band,
    chroma,
    luma,
    resized,
    size_of,
)
from filters.construction.verdict import EMPTY_MAP, FULL_MAP, MAP_MISMATCH, NOT_GREY, verdict

FINE, COARSE = 1.0, 6.0
"""Standard deviations, px at planes.SIDE, of the band in which lines and gradients are compared:
a stroke is wider than an edge, and broad shades of both say nothing."""

BLACK = 48.0
"""Levels below which there is no line."""

SAME = 0.96
"""Correlation of two frames' gradients from which their line maps cannot be distinguished: frames
that differ by noise alone have .97 and more, frames of the slowest motion at which maps in reversed
order were found .89 to .95."""


@dataclass(frozen=True, slots=True)
class LineMaps:
    """Light lines on black, the same in all channels. Levels are shares of white.

    Of right maps of four clips in eleven kinds of footage (canny, HED and scribbles): agreement
    .25 and more, distinct 10 and more, no displacement, astray .005 at most. Of other clips' maps,
    displaced, reversed or frozen ones at least one of these is missed by far.
    """

    least_lines: float = 0.002  # mean level: one line as long as the picture is high
    most_lines: float = 0.5  # mean level: scribbles cover .28 at most
    least_black: float = 0.15  # share of the picture: HED maps of busy footage have .2 and more
    most_chroma: float = 3.0  # levels, likewise
    least_agreement: float = 0.15
    least_distinct: float = 6.0  # deviations
    most_displaced: float = 0.012  # share of the long side: 2 px at planes.SIDE
    most_astray: float = 0.02

    def judge(self, sample: PairFrames) -> Verdict:
        """Score: correlation of lines and gradients, −1…1."""
        real, made = sample.sides
        size = size_of(real)
        drawn = luma(resized(made, size))
        strength = resized(gradient(real), size)
        found = agreement(band(drawn, FINE, COARSE), band(strength, FINE, COARSE), SAME)
        bounds = Bounds(
            self.least_agreement, self.least_distinct, self.most_displaced, self.most_astray
        )
        return verdict(
            found.score,
            (EMPTY_MAP, float(drawn.mean()) / 255 < self.least_lines),
            (FULL_MAP, float(drawn.mean()) / 255 > self.most_lines),
            (FULL_MAP, float((drawn < BLACK).mean()) < self.least_black),
            (NOT_GREY, chroma(made) > self.most_chroma),
            found.fault(bounds, MAP_MISMATCH),
        )


def gradient(frames: Frames) -> Planes:
    """Strength of the luma's gradient, its root: else a few strong edges would be all."""
    out = []
    for plane in luma(frames):
        soft = cv2.GaussianBlur(plane, (0, 0), 1.0)
        out.append(np.sqrt(np.hypot(*(cv2.Sobel(soft, cv2.CV_32F, i, 1 - i) for i in (0, 1)))))
    return np.stack(out)
