"""Known places that are hidden on purpose, to see how well each candidate predicts them.

Block cross-validation (Roberts et al., "Cross-validation strategies for data with temporal,
spatial, hierarchical, or phylogenetic structure", Ecography 2017): pixels right at the rim are
shown by the very next frame, those of the hole by none for many frames, so to leave out single
pixels would flatter every candidate. What is left out here is a copy of the hole, of its shape and
along its path, translated so that it lies beside the hole: its pixels stay unseen for as long as
the hole's do.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Masks

DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1))
DISTANCES = (0.5, 0.75, 1.0, 1.25)
"""Of the hole's own size, at which a place beside it is looked for."""

GAP_PX = 4
"""Between a hole and what is hidden beside it."""

SCALE = 8
"""px; the places are compared at an eighth of the size."""

MIN_COVER = 0.15
"""Share of the hole that a place beside it must hold to tell anything."""


def held_out(holes: Masks, unknown: Masks, count: int) -> list[Masks]:
    """Up to `count` translated copies of the `holes` [T, H, W], outside of them and of what is
    `unknown` [T, H, W] otherwise; those that cover most, none twice in the same direction.

    Empty where the holes leave no room beside them.
    """
    taken = holes | unknown
    small, blocked = _small(holes, 0.5), _small(taken, 0.1)
    width, height = _extent(holes)
    ranked = []
    for dx, dy in DIRECTIONS:
        options = []
        for distance in DISTANCES:
            x = round((distance * width + GAP_PX) * dx / SCALE)
            y = round((distance * height + GAP_PX) * dy / SCALE)
            cover = int((translated(small, x, y) & ~blocked).sum())
            options.append((cover, -distance, x * SCALE, y * SCALE))
        cover, nearness, x, y = max(options)
        if cover > MIN_COVER * small.sum():
            ranked.append((cover, nearness, x, y))
    ranked.sort(reverse=True)
    return [translated(holes, x, y) & ~taken for _, _, x, y in ranked[:count]]


def translated(masks: Masks, x: int, y: int) -> Masks:
    """`masks` [T, H, W] moved by (x, y) px; what leaves the frame is lost."""
    out = np.zeros_like(masks)
    height, width = masks.shape[1:]
    if abs(x) >= width or abs(y) >= height:
        return out
    out[:, max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)] = masks[
        :, max(-y, 0) : height + min(-y, 0), max(-x, 0) : width + min(-x, 0)
    ]
    return out


def _small(masks: Masks, share: float) -> Masks:
    """At 1 / SCALE of the size: cells of which more than the `share` is covered."""
    height, width = masks.shape[1:]
    size = max(1, width // SCALE), max(1, height // SCALE)
    return np.stack(
        [
            cv2.resize(m.astype(np.float32), size, interpolation=cv2.INTER_AREA) > share
            for m in masks
        ]
    )


def _extent(holes: Masks) -> tuple[float, float]:
    """Median width and height of the holes' largest part, px."""
    sizes: list[NDArray[np.int64]] = []
    for hole in holes[holes.any(axis=(1, 2))][::4]:
        _, _, parts, _ = cv2.connectedComponentsWithStats(hole.astype(np.uint8))
        largest = parts[1:][parts[1:, cv2.CC_STAT_AREA].argmax()]
        sizes.append(largest[[cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]])
    width, height = np.median(sizes, axis=0) if sizes else (0.0, 0.0)
    return float(width), float(height)
