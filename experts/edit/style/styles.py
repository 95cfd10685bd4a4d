"""The styles both stylizers know: a name for machines, a prompt for people, and how it is painted.

Neural styles are columns of a 26-style network (conditional instance normalisation: Dumoulin,
Shlens, Kudlur, "A Learned Representation for Artistic Style", ICLR 2017). Its authors' names for
them are lost, so each prompt says what the style looks like on footage. Left out are 1, 3, 6, 9
and 17 of the 26, whose pattern drowns the scene, and 16, too faint to tell what is shown.
Filter styles are classic image filters (see `painters.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.errors import BadInput

FILTER = -1
"""`index` of a style that is no column of the network."""


@dataclass(frozen=True, slots=True)
class Style:
    """One look. `prompt` completes "make it …"; `index` is the network's column or `FILTER`."""

    name: str
    prompt: str
    index: int = FILTER


STYLES: tuple[Style, ...] = (
    Style("ochre_impressionism", "an impressionist oil painting in ochre and pale blue", 0),
    Style("charcoal", "a charcoal and ink drawing with pale peach tints", 2),
    Style("crimson_ochre", "a painting in crimson, ochre and sky blue", 4),
    Style("fiery_oil", "an expressive oil painting in fiery orange and red", 5),
    Style("primary_colours", "a bold, dark painting in blue, red and yellow", 7),
    Style("coloured_pencil", "a light coloured-pencil sketch in magenta, teal and yellow", 8),
    Style("copper", "a copper-brown painting on coarse canvas", 10),
    Style("golden_engraving", "an old engraving in gold and brown ink", 11),
    Style("lavender_impressionism", "an impressionist painting in lavender and gold", 12),
    Style("folk_art", "a folk painting with bold outlines in green, teal and red", 13),
    Style("ice_blue", "a pale ice-blue wash painting", 14),
    Style("pastel_glass", "a pastel stained-glass pattern with fine dark lines", 15),
    Style("olive_woodcut", "a woodcut print in olive and cream", 18),
    Style("starry_swirls", "a painting of swirling blue and yellow brush strokes", 19),
    Style("dark_red", "an expressionist painting in dark red and black", 20),
    Style("pop_art", "pop art with flat pink, light blue and black shapes", 21),
    Style("brush_and_ink", "a brush-and-ink painting with thick outlines in lavender and red", 22),
    Style("dusk", "a soft, dark oil painting at dusk", 23),
    Style("indigo_woodblock", "a Japanese woodblock print in indigo and cream", 24),
    Style("short_strokes", "a dense mosaic of short brush strokes in blue and orange", 25),
    Style("watercolor", "a soft watercolor painting"),
    Style("pencil_sketch", "a graphite pencil sketch"),
    Style("cartoon", "a cartoon with flat colours and dark outlines"),
)

_BY_NAME: Mapping[str, Style] = {style.name: style for style in STYLES}


def style_named(name: str) -> Style:
    """The style of that name; :class:`BadInput` (`unknown_style`) naming the known ones."""
    try:
        return _BY_NAME[name]
    except KeyError:
        known = ", ".join(_BY_NAME)
        raise BadInput(
            "unknown_style", f"style {name!r} is not known; use one of: {known}"
        ) from None


def global_style(rng: np.random.Generator) -> tuple[str, dict[str, Any]]:
    """A style drawn for a whole clip: its prompt, and the params that ask for it."""
    style = STYLES[int(rng.integers(len(STYLES)))]
    return style.prompt, {"style": style.name}
