"""What a tracked object looks like in one frame: outline, colours, blur, what hides it.

A few appearances per object are enough to find objects that can replace each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.edit.image_statistics import Picture, blur_of, colour_statistics, lab, surroundings
from experts.edit.swap.colour_words import colour_words
from experts.masks.geometry import Mask, box_of, dilate

VERSION = "3"
"""Rises whenever an appearance may come out otherwise."""

STRIDE = 8
"""Frames between two appearances."""

GRID = 24
"""Cells per side of the grid that an outline is stored in."""

MIN_SIDE = 8
"""px; a smaller object shows too little."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """One object in one frame. Its fields are JSON, since a journal keeps them."""

    frame: int
    box: list[float]  # x0, y0, x1, y1, px
    outline: list[int]  # GRID rows of GRID bits: the object's mask, scaled from its box
    lab: list[float]  # mean CIELAB of the object's upper half, then of its lower half
    surround_lab: list[float]  # and of its surroundings
    blur: float  # px
    colour: str  # in words (`colour_words`), "" if none prevails
    occluded: float  # share of its outline along which a nearer object may hide it, 0–1


def appearance_of(
    picture: Picture, mask: Mask, others: Sequence[Mask], frame: int, label: str
) -> Appearance | None:
    """The appearance of an object in `picture` [H, W, 3], which is the frame number `frame` of its
    clip; `others` are the masks [H, W] of all other objects. None where too little of it shows."""
    box = box_of(mask)
    if box is None:
        return None
    x0, y0, x1, y1 = (int(v) for v in box)
    if min(x1 - x0, y1 - y0) < MIN_SIDE:
        return None
    margin = max(8, round(0.4 * max(x1 - x0, y1 - y0)))
    height, width = mask.shape
    rows = slice(max(0, y0 - margin), min(height, y1 + margin))
    columns = slice(max(0, x0 - margin), min(width, x1 + margin))
    part, inside = picture[rows, columns], mask[rows, columns]
    rest, nearer = np.zeros_like(inside), np.zeros_like(inside)
    for other in others:
        rest |= other[rows, columns]
        if (low := np.flatnonzero(other.any(axis=1))).size and low[-1] >= y1:
            nearer |= other[rows, columns]  # what stands lower in the picture stands nearer
    values = lab(part)
    upper, lower = (colour_statistics(values[half]) for half in _halves(inside))
    if upper is None or lower is None:
        return None
    surround = colour_statistics(values[surroundings(inside, ~rest)]) or lower
    small = cv2.resize(
        mask[y0:y1, x0:x1].astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA
    )
    bits = (small >= 0.5) @ (1 << np.arange(GRID, dtype=np.int64))
    return Appearance(
        frame=frame,
        box=[float(v) for v in box],
        outline=[int(v) for v in bits],
        lab=[*_rounded(upper.mean), *_rounded(lower.mean)],
        surround_lab=_rounded(surround.mean),
        blur=round(blur_of(part, inside), 3),
        colour=colour_words(part, inside, picture, label),
        occluded=round(_occluded(inside, nearer & ~inside), 3),
    )


def _halves(inside: Mask) -> tuple[Mask, Mask]:
    """The upper and the lower half of a mask, by height."""
    rows = np.flatnonzero(inside.any(axis=1))
    upper, lower = inside.copy(), inside.copy()
    middle = (rows[0] + rows[-1] + 1) // 2
    upper[middle:], lower[:middle] = False, False
    return upper, lower


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return [round(float(v), 2) for v in values]


def _occluded(inside: Mask, nearer: Mask) -> float:
    """Share of an object's outline that touches one which may hide part of it."""
    rim = dilate(inside, 2) & ~inside
    touched = rim & dilate(nearer, 2)
    return float(np.count_nonzero(touched)) / max(1.0, float(np.count_nonzero(rim)))
