"""The colours of a region in words anybody would use: the eleven basic terms and a few steps of
lightness, cut out of CIELAB by lightness, chroma and hue.

The hue borders follow where people put them for surface colours (Berlin & Kay's basic terms; in
CIELAB's hue angle red lies near 30°, yellow near 95°, green near 140°, blue near 280°). Footage is
rarely white-balanced, so the cast of what is nearly grey is taken off first, and what has little
chroma counts as grey before it counts as a colour.
"""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
from numpy.typing import NDArray

GREY_BELOW = 14.0
"""Chroma under which a surface has no colour."""

CAST_BELOW, CAST_SHARE = 20.0, 0.3
"""Chroma under which a pixel may be a grey in coloured light, and the share of the picture that
must be such for the light to be known."""

BLACK_BELOW, WHITE_FROM = 24.0, 74.0
"""Lightness (0–100) of what has no colour."""

COLOUR_SHARE, GREY_SHARE = 0.3, 0.5
"""Share of the region from which it is named by a colour, and by black, grey or white: windows,
tyres and shadows are dark on things of every colour."""

SECOND_SHARE = 0.2
"""Share from which a second colour is named."""

GREYS = ("black", "grey", "white")


def named_colours(
    pixels: NDArray[np.uint8], picture: NDArray[np.uint8] | None = None
) -> list[tuple[str, float]]:
    """The one or two colours of RGB `pixels` [n, 3] with their shares, the main one first; empty
    where no colour rules. The light is judged by the whole `picture` [..., 3], if given."""
    if not len(pixels):
        return []
    light = np.zeros(2, np.float32) if picture is None else _cast(picture)
    counts = Counter(_names(_lab(pixels), light).tolist())
    shares = [(name, count / len(pixels)) for name, count in sorted(counts.items())]
    shares.sort(key=lambda found: -found[1])
    main = next((s for s in shares if s[0] not in GREYS and s[1] >= COLOUR_SHARE), None)
    main = main or next((s for s in shares if s[0] in GREYS and s[1] >= GREY_SHARE), None)
    if main is None:
        return []
    second = next((s for s in shares if s[0] != main[0] and s[1] >= SECOND_SHARE), None)
    return [main] if second is None else [main, second]


def _lab(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    levels = pixels.reshape(1, -1, 3).astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(levels, cv2.COLOR_RGB2LAB)[0])


def _cast(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """a and b that a grey surface has in this light; 0 where too little is grey to tell."""
    ab = _lab(picture)[:, 1:]
    greyish = np.hypot(*ab.T) < CAST_BELOW
    if greyish.mean() < CAST_SHARE:
        return np.zeros(2, np.float32)
    return np.asarray(np.median(ab[greyish], axis=0), np.float32)


def _names(lab: NDArray[np.float32], light: NDArray[np.float32]) -> NDArray[np.str_]:
    lightness, (a, b) = lab[:, 0], (lab[:, 1:] - light).T
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
    dark = lightness < BLACK_BELOW
    rules = [
        ((chroma < GREY_BELOW) & dark, "black"),
        ((chroma < GREY_BELOW) & (lightness >= WHITE_FROM), "white"),
        (chroma < GREY_BELOW, "grey"),
        (dark & (chroma < 2 * GREY_BELOW), "black"),
        ((hue < 45) & (lightness > 65), "pink"),
        ((hue >= 20) & (hue < 85) & (lightness < 55) & (chroma < 50), "brown"),
        (hue < 45, "red"),
        ((hue < 105) & (lightness > 60) & (chroma < 35), "beige"),
        (hue < 75, "orange"),
        (hue < 108, "yellow"),
        (hue < 185, "green"),
        (hue < 300, "blue"),
        (hue < 330, "purple"),
        (lightness > 55, "pink"),
    ]
    return np.select([rule for rule, _ in rules], [name for _, name in rules], "red")
