"""Turns an object into a statue: one material's tones over the object's own light and shade.

A statue is of one colour, where a person has dark hair and a white shirt. So the object's lightness
is split into regions and what varies within them (a guided filter; He, Sun and Tang, ECCV 2010):
how regions differ is mostly their paint and is kept weakly, what varies within one is mostly its
shape and is kept in full. The lightness range is the whole clip's, so a tone stays what it is from
frame to frame.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.masks.geometry import Mask

Tone = tuple[float, tuple[int, int, int]]

MATERIALS: Mapping[str, tuple[Tone, ...]] = {
    "bronze": (
        (0.0, (18, 11, 6)),
        (0.35, (84, 50, 24)),
        (0.65, (164, 106, 54)),
        (0.88, (226, 178, 110)),
        (1.0, (255, 240, 206)),
    ),
    "golden": (
        (0.0, (48, 26, 2)),
        (0.35, (142, 92, 10)),
        (0.65, (222, 166, 38)),
        (0.88, (250, 216, 108)),
        (1.0, (255, 250, 216)),
    ),
    "marble": (
        (0.0, (74, 74, 80)),
        (0.3, (142, 141, 143)),
        (0.65, (208, 206, 202)),
        (1.0, (252, 251, 248)),
    ),
    "jade": (
        (0.0, (6, 32, 22)),
        (0.4, (28, 104, 74)),
        (0.75, (104, 178, 134)),
        (1.0, (228, 250, 232)),
    ),
}
"""sRGB along the material's scale from its deepest shade, 0, to its highlight, 1."""


REGIONS = 0.35
"""Share of the material's scale over which the object's regions, dark to light, are spread."""

MIDDLE = 0.58
"""Where on the scale an object's middle lightness lies."""

RELIEF = 1.0
"""How far on the scale a lightness e times that of its region lies from it."""

RADIUS = 0.12
"""Radius of a region, as a share of the square root of the object's area."""

EDGE = 0.08
"""A contrast (standard deviation of lightness, 0–1) above which two regions are two."""

LEAST_RANGE = 0.3
"""Lightness range, 0–1, that a plainer object is taken to have."""

BLACK = 0.08
"""Added to lightness before its ratio is taken: noise in black is no relief."""


class Casting:
    """Casts one object in one material; the same for every frame of a clip."""

    def __init__(self, material: str, pixels: NDArray[np.uint8]) -> None:
        """`pixels`: the object's, [N, 3] over the clip. :class:`BadInput` (`unknown_material`)."""
        if material not in MATERIALS:
            known = ", ".join(MATERIALS)
            raise BadInput(
                "unknown_material", f"material {material!r} is not known; use one of: {known}"
            )
        low, high = np.percentile(pixels.mean(axis=-1), (2, 98)) / 255
        self._centre, self._range = (low + high) / 2, max(high - low, LEAST_RANGE)
        positions, tones = zip(*MATERIALS[material], strict=True)
        scale = np.linspace(0.0, 1.0, 1024)
        self._tones = np.stack(
            [np.interp(scale, positions, channel) for channel in zip(*tones, strict=True)], axis=-1
        ).astype(np.float32)

    def paint(self, frame: NDArray[np.uint8], inside: Mask) -> NDArray[np.float32]:
        """The whole frame [H, W, 3] in the material, for an object that is `inside`; 0–255."""
        smooth = cv2.bilateralFilter(frame, 7, 30.0, 3.0)  # the surface loses its small patterns
        light = smooth.mean(axis=-1, dtype=np.float32) / 255
        regions = _regions(light, inside)
        relief = np.log((light + BLACK) / (np.maximum(regions, 0.0) + BLACK))
        place = MIDDLE + REGIONS * (regions - self._centre) / self._range + RELIEF * relief
        return np.asarray(self._tones[np.rint(np.clip(place, 0.0, 1.0) * 1023).astype(int)])


def _regions(light: NDArray[np.float32], inside: Mask) -> NDArray[np.float32]:
    """`light` smoothed within the object's regions, not over their edges nor over its own."""
    weight = inside.astype(np.float32)
    radius = max(2, round(RADIUS * float(weight.sum()) ** 0.5))

    def mean(values: NDArray[np.floating]) -> NDArray[np.float32]:
        side = (2 * radius + 1, 2 * radius + 1)
        total = cv2.boxFilter(values * weight, -1, side, normalize=False)
        count = cv2.boxFilter(weight, -1, side, normalize=False)
        return np.asarray(total / np.maximum(count, 1.0))

    average = mean(light)
    variance = np.maximum(mean(light * light) - average * average, 0.0)
    slope = variance / (variance + EDGE * EDGE)
    return mean(slope) * light + mean((1 - slope) * average)
