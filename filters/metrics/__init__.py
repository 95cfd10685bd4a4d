"""What the papers measure of an edit, as pure functions of frames, masks and vectors.

Frames are uint8 RGB [T, H, W, 3], masks bool [T, H, W], True where the edit may be. Each function
answers one value per frame (or per step between two), NaN where there is nothing to measure: no
pixel outside the mask, no pixel inside it. The metric is their :func:`mean`, None if no frame has
one. A clip may so be measured in pieces of any length.

The flow-warping error needs an optical flow, and so lies with the experts:
`experts.edit.style.temporal`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

PerFrame = NDArray[np.float64]
"""[T]; NaN where the frame has nothing to measure."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's label, which direction is better, its digits and its unit."""

    label: str
    better: Literal["higher", "lower"]
    digits: int
    unit: str = ""
    by_encoder: bool = False
    """Comes from an image-text encoder, and so compares only with figures of the same one."""


METRICS: dict[str, Metric] = {
    "ewarp": Metric("Ewarp", "lower", 2, "×10⁻³"),
    "clip_score": Metric("CLIPScore", "higher", 4, by_encoder=True),
    "temporal_consistency": Metric("temporal consistency", "higher", 4, by_encoder=True),
    "psnr": Metric("PSNR outside", "higher", 2, "dB"),
    "ssim": Metric("SSIM outside", "higher", 4),
    "lpips": Metric("LPIPS outside", "lower", 4),
    "mse": Metric("MSE outside", "lower", 2, "levels²"),
    "bp": Metric("VIVID BP", "lower", 2, "levels"),
    "ta": Metric("VIVID TA", "higher", 2, "×100", by_encoder=True),
    "tc": Metric("VIVID TC", "higher", 2, "×100", by_encoder=True),
}
"""Every metric, in the order of the table. Señorita-2M's first, then VIVID's three (Sec. 5.1)."""


def mean(values: PerFrame) -> float | None:
    """The mean over the frames that have a value; None if none has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
