"""Inpainting and outpainting: is the hole where the mask says, and only there?"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.base import ABSTAINED, Frames, PairFrames, Verdict
from filters.construction.planes import resized
from filters.construction.verdict import (
    EMPTY_MASK,
    FULL_MASK,
    HOLE_MISMATCH,
    NOTHING_HIDDEN,
    verdict,
)

RIM = 0.012
"""Share of the long side, to each side of the mask's outline, that is not looked at: there the
encoder, which halves colour, mixes both sides. At least LEAST_RIM px."""

LEAST_RIM = 3

CELL = 4
"""px, side of the cells by which the two sides are compared: a cell averages the encoder away."""


@dataclass(frozen=True, slots=True)
class Holes:
    """One colour within the mask, the target itself beside it. Shares are of pixels or cells."""

    least_area: float = 0.005  # of the picture, mean over the frames
    most_area: float = 0.9  # with all four borders at their widest an outpainting has .75
    same_colour: float = 24.0  # levels of 255
    same_light: float = 12.0  # levels, mean of a cell
    least_right: float = 0.95  # share, of every frame, that is as it should be
    least_hidden: float = 0.05  # share of the hole in which the two sides differ

    def judge(self, sample: PairFrames) -> Verdict:
        """Score: share that is right, of the hole or of its surroundings, whichever is worse."""
        if sample.mask is None:
            return Verdict(True, None, ABSTAINED)
        real, made = sample.sides
        height, width = real.shape[1:3]
        made = np.asarray(np.rint(resized(made, (width, height))), np.uint8)
        area = float(sample.mask.mean())
        if area < self.least_area or area > self.most_area:
            return Verdict(False, 0.0, EMPTY_MASK if area < self.least_area else FULL_MASK)
        inner, outer = cores(sample.mask)
        hole = made[inner]
        colour = np.median(hole, axis=0) if len(hole) else np.zeros(3)
        apart = np.abs(made.astype(np.int16) - colour.astype(np.int16)).max(-1)
        flat = least(apart <= self.same_colour, inner)
        same = least(*self._same(made, real, outer))
        taken = cv2.absdiff(real, made).max(-1)[inner]
        hidden = float((taken > self.same_light).mean()) if taken.size else 0.0
        score = min(flat, same)
        return verdict(
            score,
            (NOTHING_HIDDEN, hidden < self.least_hidden),
            (HOLE_MISMATCH, score < self.least_right),
        )

    def _same(
        self, made: Frames, real: Frames, outer: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which cells are the same on both sides, and which are quite outside, [T, h, w]."""
        size = max(1, outer.shape[2] // CELL), max(1, outer.shape[1] // CELL)
        before, after = resized(made, size), resized(real, size)
        outside = resized(outer.astype(np.float32), size) > 0.99
        return np.abs(before - after).max(-1) <= self.same_light, outside


def cores(mask: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What lies well inside the masks [T, h, w], and what well outside."""
    rim = max(LEAST_RIM, round(RIM * max(mask.shape[1:])))
    brush = np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)
    planes = mask.astype(np.uint8)
    inner = np.stack([cv2.erode(m, brush) for m in planes]) > 0
    return inner, np.stack([cv2.dilate(m, brush) for m in planes]) == 0


def least(right: NDArray[np.bool_], where: NDArray[np.bool_]) -> float:
    """Least share of `right` in any frame that has something of `where`; 1 if none has."""
    counts = where.sum((1, 2))
    shares = (right & where).sum((1, 2)) / np.maximum(counts, 1)
    return float(shares[counts > 0].min(initial=1.0))
