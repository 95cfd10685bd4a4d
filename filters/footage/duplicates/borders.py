"""Letterbox and pillarbox bars, found while frames come in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]


class Borders:
    """Follows the two bars along one axis of a video.

    A bar is made of rows of one colour, with a straight edge: over at least half of its length,
    the picture beside it has another colour. An object on an even background has none. A dark
    picture can make a bar look thicker, never thinner, so the thinnest seen so far is right.

    `flat` is the most that grey levels may differ inside a bar (compression noise);
    `widest` is the most of the picture's side that the two bars may take together (a phone's 9:16
    inside 16:9 leaves .68).
    """

    def __init__(self, *, flat: int = 10, widest: float = 0.75) -> None:
        self._flat = flat
        self._widest = widest
        self._thickness: int | None = None
        self._edge_seen = False

    def see(self, luma: Luma) -> int:
        """Rows to cut off at either end of `luma` ([H, W]), by this frame and those before it."""
        height = len(luma)
        ends = [self._even_rows(luma), self._even_rows(luma[::-1])]
        thickness = min(ends)
        if thickness < height:  # else the frame is of one colour, and says nothing
            if self._thickness is None or thickness < self._thickness:
                self._thickness, self._edge_seen = thickness, False
            # Where a bar ends between two rows, the first row inside may be a mixture.
            if thickness <= self._thickness + 1:
                self._edge_seen |= all(
                    self._has_edge(rows, even)
                    for rows, even in zip((luma, luma[::-1]), ends, strict=True)
                )
        found = self._thickness or 0
        return found if self._edge_seen and 2 * found <= self._widest * height else 0

    def _even_rows(self, luma: Luma) -> int:
        """How many rows from the first on have one colour all together."""
        darkest = np.minimum.accumulate(luma.min(axis=1)).astype(np.int16)
        brightest = np.maximum.accumulate(luma.max(axis=1)).astype(np.int16)
        return int(np.count_nonzero(brightest - darkest <= self._flat))

    def _has_edge(self, luma: Luma, even: int) -> bool:
        if not 0 < even < len(luma) - 1:
            return False
        inside = luma[even + 1].astype(np.int16)
        colour = int(np.sort(luma[0])[luma.shape[1] // 2])
        return 2 * np.count_nonzero(np.abs(inside - colour) > self._flat) >= inside.size
