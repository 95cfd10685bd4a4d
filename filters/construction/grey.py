"""Colorization: is the source a grey copy of the target, and has the target colour to restore?"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.base import Frames, PairFrames, Verdict
from filters.construction.planes import (
    CHROMA_SIDE,
    Bounds,
    Planes,
    agreement,
    band,
    chroma,
    jumps,
    luma,
    resized,
    size_of,
)
from filters.construction.verdict import FLICKER, FOOTAGE_MISMATCH, NO_COLOUR, NOT_GREY, verdict

SIDE = 128
"""px, long side, at which light is compared: grain is averaged away."""

FINE, COARSE = 1.0, 8.0
"""Standard deviations, px at SIDE, of the band in which light is compared: finer is grain."""

COLOURED_SHARE = 0.05
"""Of the picture at CHROMA_SIDE, over all frames: less is a spot of colour, no coloured video."""


@dataclass(frozen=True, slots=True)
class GreyCopies:
    """Grey, or of one tint, with the target's light as some film would see it.

    Of right copies of four clips in eleven kinds of footage, film and plain: agreement .99 and
    more (.75 of black footage), chroma 0, astray 0.
    """

    most_chroma: float = 1.5  # levels, root mean square of what one tint does not explain
    least_colour: float = 4.0  # CIELAB; a just noticeable difference is 2.3 (Mahy et al., 1994)
    least_agreement: float = 0.7
    least_distinct: float = 4.0  # deviations; few, since broad light resembles itself all over
    most_displaced: float = 0.012  # share of the long side
    most_astray: float = 0.01
    most_jump: float = 8.0  # levels by which a frame's light may jump where the target's does not

    def has_colour(self, real: Frames) -> bool:
        """Whether the footage has colour that could be restored."""
        return colour(real) >= self.least_colour

    def judge(self, sample: PairFrames) -> Verdict:
        """Score: correlation of the copy's light and what film would see of the target, −1…1."""
        real, made = sample.sides
        shown, expected = _light(made, real)
        found = agreement(shown, expected)
        bounds = Bounds(
            self.least_agreement, self.least_distinct, self.most_displaced, self.most_astray
        )
        return verdict(
            found.score,
            (NOT_GREY, chroma(made) > self.most_chroma),
            (NO_COLOUR, not self.has_colour(real)),
            found.fault(bounds, FOOTAGE_MISMATCH),
            (FLICKER, jumps(made, real) > self.most_jump),
        )


def _light(made: Frames, real: Frames) -> tuple[Planes, Planes]:
    """The copy's light, and the mixture of the target's channels that comes nearest to it: film
    sees red, green and blue with weights of its own."""
    size = size_of(real, SIDE)
    shown = band(luma(resized(made, size)), FINE, COARSE)
    channels = resized(real, size)
    bands = np.stack([band(channels[..., i], FINE, COARSE) for i in range(3)], axis=-1)
    x = bands.reshape(-1, 3).astype(np.float64)
    gram = x.T @ x
    ridge = np.eye(3) * (np.trace(gram) / 3e3 + 1e-6)  # channels of grey footage are the same
    weights = np.linalg.solve(gram + ridge, x.T @ shown.ravel())
    return shown, np.asarray(bands @ weights.astype(np.float32), np.float32)


def colour(frames: Frames) -> float:
    """Distance from grey in CIELAB that COLOURED_SHARE of the picture reaches."""
    small = resized(frames, size_of(frames, CHROMA_SIDE)) / 255
    apart: list[NDArray] = []
    for frame in small:
        lab = cv2.cvtColor(np.asarray(frame, np.float32), cv2.COLOR_RGB2Lab)
        apart.append(np.hypot(lab[..., 1], lab[..., 2]))
    return float(np.quantile(np.stack(apart), 1 - COLOURED_SHARE))
