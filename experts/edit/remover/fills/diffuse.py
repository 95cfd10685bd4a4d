"""Scattered data interpolation over a frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def diffuse(values: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill the places of small weight from the ones around them.

    `values` [H, W, C] float32, `weight` [H, W] 0–1. The push-pull pyramid of Gortler et al. ("The
    Lumigraph", SIGGRAPH 1996): average down by weight, then fill every level from the one above.
    Places of weight 1 keep their value; where nothing has weight the answer is 0.
    """
    if values.ndim == 2:
        return diffuse(values[..., None], weight)[..., 0]
    weighted = values * weight[..., None]
    filled = _push_pull(weighted, weight)
    return np.ascontiguousarray(filled)


def _push_pull(weighted: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = weight.shape
    if min(height, width) <= 2:
        mean = weighted.sum((0, 1)) / max(float(weight.sum()), 1e-6)
        return np.broadcast_to(mean, weighted.shape).astype(np.float32)
    low = cv2.pyrDown(weighted).reshape((height + 1) // 2, (width + 1) // 2, -1)
    low_weight = cv2.pyrDown(weight)
    # A level holds values at full weight as soon as a quarter of its footprint is known.
    gain = np.minimum(1.0, 4.0 * low_weight) / np.maximum(low_weight, 1e-6)
    coarse = _push_pull(low * gain[..., None], low_weight * gain)
    up = cv2.pyrUp(coarse, dstsize=(width, height)).reshape(height, width, -1)
    filled: NDArray[np.float32] = weighted + (1.0 - weight[..., None]) * up
    return filled
