"""Statistics of a region of a picture by which two regions can be compared and harmonized: its
colours, its blur and its noise (Xue et al., "Understanding and Improving the Realism of Image
Composites", SIGGRAPH 2012, find those of luminance and colour temperature to matter most)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.masks.geometry import Mask, dilate

Picture = NDArray[np.uint8]
"""[H, W, 3], RGB."""

FINE, COARSE = 0.7, 2.0
"""px; deviations of the two Gaussians whose gradients are compared to measure blur."""

SHARPEST, SOFTEST = 0.2, 6.0
"""px; blur is not told apart beyond these."""

PLAIN = 16.0
"""Mean squared Sobel response below which there are no edges to measure."""

FLAT = 1.05
"""Squared ratio of energies below which the edges measured are those of the surroundings."""

MIN_PIXELS = 24
"""Fewer pixels allow no statistics."""


@dataclass(frozen=True, slots=True)
class ColourStatistics:
    """CIELAB mean and deviation [3] of a region's pixels, and the second percentile of their L."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    dark: float


def lab(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """RGB [H, W, 3] → CIELAB, L 0–100."""
    return np.asarray(cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def rgb(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIELAB [H, W, 3] → RGB, float 0–255."""
    return np.asarray(cv2.cvtColor(values, cv2.COLOR_LAB2RGB) * 255, np.float32)


def colour_statistics(pixels: NDArray[np.float32]) -> ColourStatistics | None:
    """Of CIELAB pixels [n, 3]; None if there are too few."""
    if len(pixels) < MIN_PIXELS:
        return None
    dark = float(np.percentile(pixels[:, 0], 2))
    return ColourStatistics(pixels.mean(0), pixels.std(0), dark)


def surroundings(mask: Mask, free: Mask | None = None) -> Mask:
    """A band around an object within `free`, 5 to 25 % of the square root of its area away."""
    side = float(mask.sum()) ** 0.5
    around = dilate(mask, max(4, round(0.25 * side))) & ~dilate(mask, max(2, round(0.05 * side)))
    return around if free is None else around & free


def blur_of(picture: Picture, mask: Mask) -> float:
    """How soft a region is: the deviation, px, of the Gaussian that would blur ideal edges as its
    edges are.

    The energy of an edge's gradient falls as 1 / √(b² + s²) with its blur b and the scale s it is
    measured at, so the ratio of two scales yields b. Texture counts as edges, too, so the figure
    serves to compare regions and not by itself.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    inner = dilate(mask, -2)
    if np.count_nonzero(inner) < MIN_PIXELS:
        inner = mask
    fine, coarse = (float(_energy(grey, scale)[inner].mean()) for scale in (FINE, COARSE))
    ratio = (fine / max(coarse, 1e-6)) ** 2
    if coarse < PLAIN or ratio <= FLAT:
        return SHARPEST  # what has no edges cannot be too soft
    squared = (COARSE**2 - ratio * FINE**2) / (ratio - 1.0)
    return float(np.clip(np.sqrt(max(squared, 0.0)), SHARPEST, SOFTEST))


def _energy(grey: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    smooth = cv2.GaussianBlur(grey, (0, 0), scale)
    dx, dy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    return np.asarray(dx * dx + dy * dy)


_NOISE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def noise_of(picture: Picture, mask: Mask) -> float:
    """The deviation of a region's noise, levels of 255, by Immerkær's mask ("Fast noise variance
    estimation", CVIU 1996) with a median in place of the mean, so that edges count little."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    response = np.abs(cv2.filter2D(grey, cv2.CV_32F, _NOISE))[mask]
    return float(np.median(response) / (0.6745 * 6)) if response.size >= MIN_PIXELS else 0.0
