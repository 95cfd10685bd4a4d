"""Turns an object into a statue: one material's tones over the object's own light and shade.

The lightness range of the object over the whole clip is spread over the material's tones, so the
mapping is the same in every frame.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput

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


class Casting:
    """Casts one object in one material; the same for every frame of a clip."""

    def __init__(self, material: str, pixels: NDArray[np.uint8]) -> None:
        """`pixels`: the object's, [N, 3] over the clip. :class:`BadInput` (`unknown_material`)."""
        if material not in MATERIALS:
            known = ", ".join(MATERIALS)
            raise BadInput(
                "unknown_material", f"material {material!r} is not known; use one of: {known}"
            )
        self._low, self._high = np.percentile(pixels.mean(axis=-1), (2, 98))
        positions, tones = zip(*MATERIALS[material], strict=True)
        scale = np.linspace(0.0, 1.0, 1024)
        self._tones = np.stack(
            [np.interp(scale, positions, channel) for channel in zip(*tones, strict=True)], axis=-1
        ).astype(np.float32)

    def paint(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The whole frame [H, W, 3] in the material; float, 0–255."""
        smooth = cv2.bilateralFilter(frame, 7, 30.0, 3.0)  # the surface loses its small patterns
        light = smooth.mean(axis=-1, dtype=np.float32)
        light += 0.6 * (light - cv2.GaussianBlur(light, (0, 0), 5.0))  # and gains relief
        place = np.clip((light - self._low) / max(self._high - self._low, 24.0), 0.0, 1.0)
        return np.asarray(self._tones[np.rint(place * 1023).astype(int)])
