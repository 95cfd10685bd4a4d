"""Brightness: black frames."""

from __future__ import annotations

import numpy as np

from filters.footage.sampled import SampledFrame

BLACK_LEVEL = 24
"""Of 255, the largest of a pixel's three colours: a frame hardly any pixel of which reaches it is
black. Noise in the dark reaches 20, a night scene with one lamp in it 100."""

LIT = 0.005
"""Share of the pixels that may be brighter, as a clock's or a logo's are."""


class ExposureMeasure:
    """Means over the frames."""

    def __init__(self) -> None:
        self._frames = 0
        self._black = 0
        self._luma = 0.0

    def add(self, one: SampledFrame) -> None:
        self._frames += 1
        self._luma += float(one.small.mean())
        lit = np.count_nonzero(one.small_peak >= BLACK_LEVEL)
        self._black += int(lit <= LIT * one.small_peak.size)

    def measures(self) -> dict[str, float]:
        """`luma`: mean, 0–255; `black_share`: of the frames, those that are black, 0–1."""
        if not self._frames:
            return {}
        return {"luma": self._luma / self._frames, "black_share": self._black / self._frames}
