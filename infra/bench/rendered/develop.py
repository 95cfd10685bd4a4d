"""From Cycles' linear light to frames as a camera would record them: denoised, exposed, with grain.

The scenes are rendered with few samples. The noise lies in the light, not in the surfaces: colour
and direction of what a pixel shows are nearly exact after a few samples. So the light is divided by
the surface's colour, averaged over neighbours whose colour, direction and light are alike (a joint
bilateral filter, Petschnigg et al., SIGGRAPH 2004), and multiplied again: textures stay sharp.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

Linear = NDArray[np.float32]
"""[H, W, 3], linear RGB from 0."""

DARKEST = 0.03
"""Added to a surface's colour before it divides: black surfaces only reflect."""


def denoised(
    passes: Mapping[str, NDArray[np.float32]],
    *,
    radius: int = 3,
    normal: float = 0.15,
    albedo: float = 0.06,
    light: float = 0.35,
) -> Linear:
    """The picture of Blender's passes (by channel name), with its light smoothed.

    `normal`, `albedo`: deviations of the guides among which is averaged; `light`: that of the light
    itself, of its own size. All set by eye.
    """
    colour, guide_albedo = layer(passes, "Combined", "RGB"), layer(passes, "DiffCol", "RGB")
    lit = colour / (guide_albedo + DARKEST)
    direction = layer(passes, "Normal", "XYZ")
    brightness = np.log(cv2.medianBlur(lit.mean(axis=2).astype(np.float32), 3) + 0.02)
    guides = np.dstack([direction / normal, guide_albedo / albedo, brightness / light])
    total, weights = np.zeros_like(lit), np.zeros(lit.shape[:2], np.float32)
    limited = np.minimum(lit, 4 * cv2.medianBlur(lit, 5) + 0.05)  # single very bright samples
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            apart = ((guides - _shifted(guides, dy, dx)) ** 2).sum(axis=2)
            weight = np.exp(-apart / 2 - (dx * dx + dy * dy) / (radius * radius))
            total += weight[..., None] * _shifted(limited, dy, dx)
            weights += weight
    return np.asarray(total / weights[..., None] * (guide_albedo + DARKEST), np.float32)


def layer(passes: Mapping[str, NDArray[np.float32]], name: str, channels: str) -> Linear:
    """The channels of one pass, [H, W, len(channels)]."""
    return np.dstack([passes[f"ViewLayer.{name}.{channel}"] for channel in channels])


def _shifted(image: NDArray[np.float32], dy: int, dx: int) -> NDArray[np.float32]:
    return np.roll(image, (dy, dx), axis=(0, 1))


def exposed(
    linear: Linear,
    *,
    exposure: float = 1.0,
    monochrome: bool = False,
    grain: float = 0.0,
    seed: int = 0,
) -> NDArray[np.uint8]:
    """The frame [H, W, 3] that a camera records.

    `exposure` multiplies the light; the tone curve is Narkowicz' fit of ACES ("ACES Filmic Tone
    Mapping Curve", 2016), followed by sRGB's. `grain` is the deviation in gray values of 255 at a
    medium gray, less in the lights; the same `seed` gives the same grain.
    """
    x = np.maximum(linear, 0) * exposure
    x = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    if monochrome:
        x = np.repeat(x @ np.array([[0.2126], [0.7152], [0.0722]], np.float32), 3, axis=2)
    picture = 255 * np.where(x < 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    if grain:
        noise = np.random.default_rng(seed).normal(size=(*x.shape[:2], 1 if monochrome else 3))
        soft = cv2.GaussianBlur(noise, (0, 0), 0.6).reshape(noise.shape)
        soft /= soft.std()
        picture = picture + grain * soft * (1.2 - picture.mean(axis=2, keepdims=True) / 255)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
