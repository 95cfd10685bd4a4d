"""An object cut out of its picture: how much of each pixel is its own, and in which colour.

A pixel on the edge shows the object and what was behind it. Its share falls from 1 to 0 over the
edge, and its colour is carried outwards from inside, so that no rim of the old background shows.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

CARRY = 2.0
"""px; how deep in an object a pixel must lie for its colour to be all its own."""

REACH = 1.6
"""px; the Gaussian along which colours are carried outwards."""

Image = NDArray[np.float32]


def depth_in(mask: NDArray[np.bool_]) -> Image:
    """px from the edge, positive inside; the staircase of whole pixels is smoothed away."""
    solid = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    inside = cv2.distanceTransform(solid, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    outside = cv2.distanceTransform(1 - solid, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    if not mask.any():
        return np.full(mask.shape, -float(sum(mask.shape)), np.float32)
    signed = np.where(solid > 0, inside - 0.5, 0.5 - outside)[1:-1, 1:-1].astype(np.float32)
    return np.asarray(cv2.GaussianBlur(signed, (0, 0), 0.8))


def share(depth: Image, inset: float, width: float) -> Image:
    """0–1: how much of a pixel belongs to the object; a half at `inset` px, over `width` px."""
    return np.asarray(np.clip((depth - inset) / width + 0.5, 0.0, 1.0), np.float32)


def own_colours(frame: NDArray[np.uint8], depth: Image) -> Image:
    """`frame` [H, W, 3] with the colours of the object's inside carried over its edge; float."""
    colours = frame.astype(np.float32)
    sure = np.clip(depth / CARRY, 0.0, 1.0) ** 2
    total = cv2.GaussianBlur(colours * sure[..., None], (0, 0), REACH)
    weight = cv2.GaussianBlur(sure, (0, 0), REACH)
    carried = total / np.maximum(weight, 1e-4)[..., None]
    known = np.minimum(1.0, weight / 1e-3)[..., None]  # farther out there is nothing to carry
    carried = known * carried + (1 - known) * colours
    own = np.clip(depth / CARRY, 0.0, 1.0)[..., None]
    return np.asarray(own * colours + (1 - own) * carried, np.float32)
