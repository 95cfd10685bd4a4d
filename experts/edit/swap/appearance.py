"""What a tracked object looks like in one frame: outline, colours, blur, what hides it.

A few appearances per object are enough to find objects that can replace each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.colours import GREYS, named_colours
from experts.edit.image_statistics import Picture, blur_of, colour_statistics, lab, surroundings
from experts.masks.geometry import Mask, box_of, dilate

VERSION = "2"
"""Rises whenever an appearance may come out otherwise."""

STRIDE = 8
"""Frames between two appearances."""

GRID = 24
"""Cells per side of the grid that an outline is stored in."""

MIN_SIDE = 8
"""px; a smaller object shows too little."""

TORSO = (0.18, 0.5)
"""From the top, shares of a person's height: the clothes that one names a person by."""

DARK_BELOW, LIGHT_ABOVE = 32.0, 52.0
"""CIELAB lightness below and above which clothes without a hue are called so; set by hand, with a
gap between, so that people called differently also look different."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """One object in one frame. Its fields are JSON, since a journal keeps them."""

    frame: int
    box: list[float]  # x0, y0, x1, y1, px
    outline: list[int]  # GRID rows of GRID bits: the object's mask, scaled from its box
    lab: list[float]  # mean CIELAB of the object
    surround_lab: list[float]  # and of its surroundings
    blur: float  # px
    colour: str  # its main one in words, "" if none prevails
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
    own = colour_statistics(values[inside])
    if own is None:
        return None
    surround = colour_statistics(values[surroundings(inside, ~rest)]) or own
    small = cv2.resize(
        mask[y0:y1, x0:x1].astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA
    )
    bits = (small >= 0.5) @ (1 << np.arange(GRID, dtype=np.int64))
    return Appearance(
        frame=frame,
        box=[float(v) for v in box],
        outline=[int(v) for v in bits],
        lab=_rounded(own.mean),
        surround_lab=_rounded(surround.mean),
        blur=round(blur_of(part, inside), 3),
        colour=_colour(part, inside, picture, label),
        occluded=round(_occluded(inside, nearer & ~inside), 3),
    )


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return [round(float(v), 2) for v in values]


def _colour(part: Picture, inside: Mask, picture: Picture, label: str) -> str:
    """The main colour in words. A person's is that of the clothes above the waist, called dark or
    light where they have no hue: people disagree about grey."""
    region = dilate(inside, -2)
    if label == "person":
        box = box_of(inside)
        assert box is not None
        top, bottom = (round(box[1] + s * (box[3] - box[1])) for s in TORSO)
        region[:top] = False
        region[bottom:] = False
    found = named_colours(part[region], picture[::4, ::4])
    name = found[0][0] if found else ""
    if label == "person" and name in GREYS:
        lightness = float(np.median(lab(part)[..., 0][region]))
        if lightness < DARK_BELOW:
            return "dark clothes"
        return "light clothes" if lightness > LIGHT_ABOVE else ""
    return name


def _occluded(inside: Mask, nearer: Mask) -> float:
    """Share of an object's outline that touches one which may hide part of it."""
    rim = dilate(inside, 2) & ~inside
    touched = rim & dilate(nearer, 2)
    return float(np.count_nonzero(touched)) / max(1.0, float(np.count_nonzero(rim)))
