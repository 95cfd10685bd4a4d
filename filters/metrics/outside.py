"""How well an edit kept what it was not asked to change: MSE, PSNR, SSIM, L1 outside the mask.

All take source and target, uint8 [T, H, W, 3] of one shape, and the masks of the edit, bool
[T, H, W], or None where the whole frame counts. Neither paper says whether its figures are means
over the pixels outside, as here, or over frames whose edited part was painted over; the latter are
better by the share of the frame that was edited.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from filters.metrics import PerFrame

Frames = NDArray[np.uint8]
Masks = NDArray[np.bool_]

PEAK = 255.0
"""Levels."""

MOST = 100.0
"""dB; PSNR of frames that are equal, whose PSNR has no bound."""

SIGMA = 1.5
TRUNCATE = 3.5
"""SSIM's Gaussian window: an 11×11 one of this deviation, px (Wang et al., IEEE TIP 2004)."""

BORDER = int(TRUNCATE * SIGMA + 0.5)
"""px at each side for which the window leaves the frame; not counted, as in the original."""


def mse(source: Frames, target: Frames, masks: Masks | None = None) -> PerFrame:
    """Mean squared error outside the mask, levels² (0–65 025, 0 is best), over RGB.

    Señorita-2M's figures fit this scale: its remover's MSE of 89.6 is a PSNR of 28.6 dB, and
    29.16 dB is what stands beside it.
    """
    return _mean_outside(np.square(_gap(source, target)).mean(axis=-1), masks)


def psnr(source: Frames, target: Frames, masks: Masks | None = None) -> PerFrame:
    """Peak signal-to-noise ratio outside the mask, dB, from each frame's :func:`mse`.

    Higher is better; MOST at most, which equal frames have.
    """
    error = mse(source, target, masks)
    least = PEAK**2 / 10 ** (MOST / 10)
    return 10 * np.log10(PEAK**2 / np.maximum(error, least))


def l1(source: Frames, target: Frames, masks: Masks | None = None) -> PerFrame:
    """VIVID's BP: mean absolute difference outside the mask, levels of 255 (0 is best), over RGB.

    The paper (Sec. 5.1) says "L1 distance" and no more; that colours are averaged is our reading.
    """
    return _mean_outside(np.abs(_gap(source, target)).mean(axis=-1), masks)


def ssim(source: Frames, target: Frames, masks: Masks | None = None) -> PerFrame:
    """Structural similarity outside the mask, −1…1 (1 is best); Wang et al., IEEE TIP 2004.

    scikit-image's map with the paper's Gaussian window, per colour, averaged over the pixels
    outside. A window at the mask's edge would see the edit: inside the mask the target is
    therefore first replaced by the source.
    """
    kept = target if masks is None else np.where(masks[..., None], source, target)
    maps = np.stack([_ssim_map(a, b) for a, b in zip(source, kept, strict=True)])
    inner = slice(BORDER, -BORDER)
    cut = None if masks is None else masks[:, inner, inner]
    return _mean_outside(maps[:, inner, inner], cut)


def _ssim_map(a: Frames, b: Frames) -> NDArray[np.float32]:
    _, full = structural_similarity(
        a,
        b,
        data_range=PEAK,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=SIGMA,
        truncate=TRUNCATE,
        use_sample_covariance=False,
        full=True,
    )
    return np.asarray(full.mean(axis=-1), np.float32)


def _gap(source: Frames, target: Frames) -> NDArray[np.float32]:
    if source.shape != target.shape:
        raise ValueError(f"source and target differ in shape: {source.shape}, {target.shape}")
    return source.astype(np.float32) - target


def _mean_outside(values: NDArray[np.float32], masks: Masks | None) -> PerFrame:
    """The mean of each frame's values [T, H, W] where its mask is not."""
    if masks is None:
        return values.mean(axis=(1, 2), dtype=np.float64)
    count = (~masks).sum(axis=(1, 2))
    total = np.where(masks, 0, values).sum(axis=(1, 2), dtype=np.float64)
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
