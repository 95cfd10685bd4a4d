"""Blends a fill into its frame: the difference on the known ring around it is spread smoothly
inside, so that no edge shows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.edit.remover.fills.diffuse import diffuse
from experts.edit.remover.fills.gather import PixelSet

SMOOTH_PX = (
    3.0  # deviation of the Gaussian that averages the difference along the ring, against noise
)
ROBUST = 8.0  # gray values; larger differences show another object, not a change of brightness


def match_rim(
    frame: NDArray[np.uint8],
    pixels: PixelSet,
    colour: NDArray[np.float32],
    seen: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """`colour` [N, 3] of the `pixels` of `frame`, shifted so that it meets the frame on the ring.

    The membrane of Poisson blending (Pérez et al., SIGGRAPH 2003), with robust weights on its rim
    and solved by a push-pull pyramid. Only ring pixels that were `seen` [N] count.
    """
    y, x = pixels.y.astype(int), pixels.x.astype(int)
    ring = seen.copy()
    ring[: pixels.hidden] = False
    if not ring.any():
        return colour
    top, left = y.min(), x.min()
    size = (y.max() + 1 - top, x.max() + 1 - left)
    gap = frame[y[ring], x[ring]] - colour[ring]
    difference, weight = np.zeros((*size, 3), np.float32), np.zeros(size, np.float32)
    place = y[ring] - top, x[ring] - left
    weight[place] = 1.0 / (1.0 + np.square(np.abs(gap).max(axis=1) / ROBUST))
    difference[place] = gap * weight[place][:, None]
    total = cv2.GaussianBlur(weight, (0, 0), SMOOTH_PX)
    smooth = cv2.GaussianBlur(difference, (0, 0), SMOOTH_PX) / np.maximum(total, 1e-6)[..., None]
    known = np.minimum(1.0, 2.0 * total) * (weight > 0)
    offset = diffuse(smooth, known.astype(np.float32))
    return colour + offset[y - top, x - left]
