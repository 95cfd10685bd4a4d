"""What tells an object apart by its colour, in words that fit nothing that looks otherwise.

Of things without a hue no more is said than dark or light, with a gap between: people disagree
about grey. A vehicle is called by its body, since windows are dark on every one; a person by the
clothes above the waist and, where these have no hue, below it.
"""

from __future__ import annotations

import numpy as np

from experts.annotate.colours import GREYS, named_colours
from experts.annotate.detection.kinds import VEHICLE, VEHICLES
from experts.edit.image_statistics import Picture, lab
from experts.masks.geometry import Mask, box_of, dilate

BODY = (0.42, 0.75)
"""From the top, shares of a vehicle's height that lie below its windows and above its wheels."""

TOP, LEGS = (0.18, 0.5), (0.55, 0.85)
"""The same of a person's clothes, above the waist and below it."""

DARK_BELOW, LIGHT_ABOVE = 32.0, 52.0
"""CIELAB lightness below and above which what has no hue is called so; set by hand, with a gap
between, so that things called differently also look different."""

WORN_BELOW = ("dark", "light", "blue")
"""What is said of clothes below the waist: of other hues it may be skin."""


def colour_words(part: Picture, inside: Mask, picture: Picture, label: str) -> str:
    """The colour of an object, whose mask is `inside` [h, w], in `part` [h, w, 3] of a `picture`,
    which tells the light: `red`, `dark`; of a person what they are in: `red`, `dark clothes`, `a
    dark top and blue trousers`. Empty where none prevails."""
    region = dilate(inside, -2)
    if label == "person":
        top = _colour(part, _band(region, TOP), picture)
        if top not in ("dark", "light"):
            return top
        legs = _colour(part, _band(region, LEGS), picture)
        if legs not in WORN_BELOW:
            return ""
        return f"{top} clothes" if legs == top else f"a {top} top and {legs} trousers"
    if label == VEHICLE or label in VEHICLES:
        found = _colour(part, _band(region, BODY), picture)
        return "light-coloured" if found == "light" else found
    names = named_colours(part[region], picture[::4, ::4])
    return names[0][0] if names else ""


def _colour(part: Picture, region: Mask, picture: Picture) -> str:
    """Its hue; `dark` or `light` where it has none; empty where it has several, or is between."""
    found = named_colours(part[region], picture[::4, ::4])
    if not found:
        return ""
    name = found[0][0]
    if name not in GREYS:
        return name
    if any(second not in GREYS for second, _ in found[1:]):
        return ""
    lightness = float(np.median(lab(part)[..., 0][region]))
    if lightness < DARK_BELOW:
        return "dark"
    return "light" if lightness > LIGHT_ABOVE else ""


def _band(region: Mask, shares: tuple[float, float]) -> Mask:
    """The part of a mask between these shares of its height, from the top."""
    box = box_of(region)
    if box is None:
        return region
    top, bottom = (round(box[1] + share * (box[3] - box[1])) for share in shares)
    band = region.copy()
    band[:top] = False
    band[bottom:] = False
    return band
