"""What to make of an object: the adjectives that suit its kind, as params of the local stylizer."""

from __future__ import annotations

from typing import Any

import numpy as np

from experts.edit.style.materials import MATERIALS
from experts.edit.style.recolor import COLOURS
from experts.edit.style.styles import STYLES

_VEHICLE = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "white", "black")
_GOODS = tuple(COLOURS)
_FUR = ("black", "brown", "white", "orange")

PAINTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("car", "bus", "truck", "vehicle", "train", "motorcycle", "airplane", "boat"), _VEHICLE
    ),
    **dict.fromkeys(("bicycle", "bench", "stop sign", "fire hydrant", "parking meter"), _GOODS),
    **dict.fromkeys(("backpack", "umbrella", "handbag", "tie", "suitcase"), _GOODS),
    **dict.fromkeys(("frisbee", "sports ball", "kite", "skateboard", "surfboard"), _GOODS),
    **dict.fromkeys(("chair", "couch", "bed", "dining table", "vase", "cup", "bowl"), _GOODS),
    **dict.fromkeys(("bottle", "book", "clock", "teddy bear"), _GOODS),
    "bird": ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink", "white"),
    **dict.fromkeys(("cat", "dog", "horse", "sheep", "cow", "bear"), _FUR),
}
"""Colours an object of a COCO label is credible in. A person, food, a zebra has none of its own."""

STATUES = ("person", "cat", "dog", "horse", "sheep", "cow", "bear", "elephant", "giraffe", "bird",
           "zebra", "teddy bear")  # fmt: skip
"""Labels one casts in bronze: their material reads as a statue, not as another paint."""

COLOUR_SHARE = 0.6
"""How often an object that can be repainted is; otherwise it is cast or drawn in a style."""

LOCAL_STYLES = tuple(
    style
    for style in STYLES
    if style.name
    in (
        "charcoal",
        "fiery_oil",
        "coloured_pencil",
        "golden_engraving",
        "folk_art",
        "pastel_glass",
        "starry_swirls",
        "indigo_woodblock",
        "short_strokes",
        "pencil_sketch",
    )
)
"""Styles still recognised on an object alone, without the picture around it."""


def local_adjectives(rng: np.random.Generator, label: str) -> tuple[str, dict[str, Any]]:
    """A look drawn for an object of this COCO label: its prompt ("a red car"), and the params."""
    colours = PAINTS.get(label, ())
    if colours and rng.random() < COLOUR_SHARE:
        colour = colours[int(rng.integers(len(colours)))]
        return f"{_article(colour)} {colour} {label}", {"kind": "color", "color": colour}
    if label in STATUES and rng.random() < 0.5:
        material = tuple(MATERIALS)[int(rng.integers(len(MATERIALS)))]
        prompt = f"{_article(material)} {material} statue of {_article(label)} {label}"
        return prompt, {"kind": "material", "material": material}
    style = LOCAL_STYLES[int(rng.integers(len(LOCAL_STYLES)))]
    prompt = f"{_article(label)} {label} drawn like {style.prompt}"
    return prompt, {"kind": "style", "style": style.name}


def _article(word: str) -> str:
    return "an" if word[:1] in "aeiou" else "a"
