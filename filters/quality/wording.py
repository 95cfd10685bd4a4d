"""What the words of a prompt ask of a picture's colours."""

from __future__ import annotations

import re

COLOURS = frozenset(
    (
        "aqua", "aquamarine", "azure", "beige", "blue", "bronze", "brown", "burgundy", "cerulean",
        "chartreuse", "cobalt", "copper", "crimson", "cyan", "fuchsia", "gold", "golden", "green",
        "indigo", "jade", "khaki", "lavender", "lilac", "magenta", "maroon", "mauve", "navy",
        "ochre", "olive", "orange", "peach", "pink", "purple", "red", "scarlet", "sepia", "tan",
        "teal", "terracotta", "turquoise", "ultramarine", "vermilion", "violet", "yellow",
    )
)  # fmt: skip
"""Names of hues, of the CSS palette and of the pigments and materials that the styles of
experts.edit.style name. Left out are those without a hue (black, white, grey, silver, cream) and
those that more often name a thing (rose, plum, salmon)."""


def names_a_colour(prompt: str) -> bool:
    """Whether one of its words is a hue's name, also in "ice-blue"."""
    return not COLOURS.isdisjoint(re.findall("[a-z]+", prompt.lower()))


FLAT_STYLES = frozenset(
    (
        "cartoon", "comic", "cutout", "drawing", "engraving", "etching", "flat", "linocut",
        "pencil", "pixel", "poster", "posterised", "posterized", "print", "silhouette", "sketch",
        "statue", "stencil", "woodblock", "woodcut",
    )
)  # fmt: skip
"""Techniques that put evenly coloured shapes beside each other (relief prints, stencils, cut paper,
what is drawn for print and screen), leave much of the paper bare, or cast all in one material.
"pop art" is two words."""


def means_few_tones(prompt: str) -> bool:
    """Whether it names a technique that has few tones."""
    words = re.findall("[a-z]+", prompt.lower())
    return not FLAT_STYLES.isdisjoint(words) or "pop art" in " ".join(words)
