"""Alpha mattes: how much of each pixel belongs to an object that is cut out, and in which colour.

A pixel on an object's edge mixes the object with what was behind it. Its alpha falls from 1 to 0
over the edge, and its foreground colour is extrapolated from inside the object, so that no rim of
the old background shows (colour decontamination).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
"""[H, W] or [H, W, 3]."""


def signed_distance(mask: NDArray[np.bool_]) -> Image:
    """px from the mask's edge, [H, W], positive inside; smoothed, since whole pixels are a
    staircase."""
    solid = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    inside = cv2.distanceTransform(solid, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    outside = cv2.distanceTransform(1 - solid, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    if not mask.any():
        return np.full(mask.shape, -float(sum(mask.shape)), np.float32)
    signed = np.where(solid > 0, inside - 0.5, 0.5 - outside)[1:-1, 1:-1].astype(np.float32)
    return np.asarray(cv2.GaussianBlur(signed, (0, 0), 0.8))


def alpha(distance: Image, inset: float, width: float) -> Image:
    """0–1 of a signed `distance`: a half at `inset` px inside the edge, linear over `width` px."""
    return np.asarray(np.clip((distance - inset) / width + 0.5, 0.0, 1.0), np.float32)


def foreground_colours(
    frame: NDArray[np.uint8], distance: Image, *, pure_px: float = 2.0, reach_px: float = 1.6
) -> Image:
    """`frame` [H, W, 3] with the colours of the object's inside extrapolated over its edge; float.

    From `pure_px` inside the edge on a pixel's colour is taken for the object's own; colours are
    extrapolated by a Gaussian of deviation `reach_px`. Both are set by hand.
    """
    colours = frame.astype(np.float32)
    purity = np.clip(distance / pure_px, 0.0, 1.0) ** 2
    total = cv2.GaussianBlur(colours * purity[..., None], (0, 0), reach_px)
    weight = cv2.GaussianBlur(purity, (0, 0), reach_px)
    extrapolated = total / np.maximum(weight, 1e-4)[..., None]
    known = np.minimum(1.0, weight / 1e-3)[..., None]  # farther out nothing is known
    extrapolated = known * extrapolated + (1 - known) * colours
    own = np.clip(distance / pure_px, 0.0, 1.0)[..., None]
    return np.asarray(own * colours + (1 - own) * extrapolated, np.float32)
