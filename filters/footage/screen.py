"""Screen recordings and other drawn pages.

What a computer draws has areas of exactly one value, and letters and lines that stand directly on
them; a camera's edges lie between areas that have some grain or shade. Both must be found: fog and
overexposed skies are flat as well, but without such edges. Black is left out, with what borders on
it: the bars of a film are flat and have sharp edges too.
"""

from __future__ import annotations

import cv2
import numpy as np

from filters.footage.sampled import SampledFrame

BLACK = 20
"""Of 255; a dark page's background is lighter (30 in common editors)."""

EDGE = 24
"""Levels between neighbours from which they are an edge."""

AROUND = 9
"""px; the square around an edge that is looked at."""

FLAT_AROUND = 0.3
"""Share of that square that has exactly one value where an edge stands on a drawn area."""


class ScreenMeasure:
    """Means over the frames; a frame is like any other, so pages that scroll count the same."""

    def __init__(self) -> None:
        self._frames = 0
        self._flat = 0.0
        self._drawn = 0.0

    def add(self, one: SampledFrame) -> None:
        gray = one.gray
        right = cv2.absdiff(gray[:-1, 1:], gray[:-1, :-1])
        below = cv2.absdiff(gray[1:, :-1], gray[:-1, :-1])
        step = cv2.max(right, below)
        seen = cv2.erode((gray > BLACK).astype(np.uint8), np.ones((5, 5), np.uint8))[:-1, :-1]
        counted = cv2.countNonZero(seen)
        self._frames += 1
        if counted == 0:
            return
        flat = (step == 0).view(np.uint8)
        around = cv2.blur(flat.astype(np.float32), (AROUND, AROUND))
        drawn = (step >= EDGE) & (around > FLAT_AROUND)
        self._flat += cv2.countNonZero(flat & seen) / counted
        self._drawn += np.count_nonzero(drawn & seen.view(bool)) / counted

    def measures(self) -> dict[str, float]:
        """`flat_area`: share of the pixels that equal their neighbours exactly; `drawn_area`: share
        that are edges on such flat ground; both of what is not black."""
        if not self._frames:
            return {}
        return {
            "flat_area": self._flat / self._frames,
            "drawn_area": self._drawn / self._frames,
        }
