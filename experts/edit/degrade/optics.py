"""What lenses, shutters, sensors and scalers do to footage: the source side of restoration tasks.

The recipe is that of blind restoration: blur, resize, noise, once or twice over, then an encoder
(BSRGAN: Zhang et al., ICCV 2021; Real-ESRGAN: Wang et al., ICCVW 2021; with a video codec at the
end: RealBasicVSR, Chan et al., CVPR 2022; see `codec.py`). Ranges are milder than theirs where
theirs leave a picture that nobody would call footage any more.

Whatever is drawn comes back as plain numbers, which go into the pair's row, and is applied from
those numbers alone; it holds for the whole clip. Only noise is drawn anew for each frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Drawn = dict[str, Any]
"""What was drawn, JSON-able."""

Kernel = NDArray[np.float32]
"""[2r + 1, 2r + 1], sums to 1."""

Picture = NDArray[np.float32]
"""[H, W, 3] RGB, 0–255."""

FAMILIES = {"gaussian": 0.70, "generalized": 0.15, "plateau": 0.15}
ANISOTROPIC = 0.3
"""Shares of the blur kernels' shapes (Real-ESRGAN, first order: 0.45 + 0.25, 0.12 + 0.03, 0.12 +
0.03, of which 0.31 are anisotropic)."""

BETA = {"gaussian": (1.0, 1.0), "generalized": (0.5, 4.0), "plateau": (1.0, 2.0)}
"""Exponents of the shapes (Real-ESRGAN): below 1 pointed, above 1 flat-topped."""

SUPPORT = 3.5
"""Radius of a kernel in standard deviations (Real-ESRGAN: 21 px wide for 3)."""

GREY_NOISE = 0.4
"""Share of noise that is the same in all three channels (Real-ESRGAN)."""

INTERPOLATIONS = {
    "area": cv2.INTER_AREA,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
}
"""Ways of resizing (Real-ESRGAN)."""


def one_of(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    """A name, as often as its share of 1 says."""
    return str(rng.choice(list(shares), p=list(shares.values())))


def draw_blur(rng: np.random.Generator, sigma: tuple[float, float]) -> Drawn:
    """A blur of one of the FAMILIES; `sigma` limits its standard deviations, px."""
    family = one_of(rng, FAMILIES)
    long = float(rng.uniform(*sigma))
    short = float(rng.uniform(sigma[0], long)) if rng.random() < ANISOTROPIC else long
    return {
        "blur": family,
        "sigma": [round(long, 3), round(short, 3)],
        "angle": round(float(rng.uniform(0, 180)), 2) if short < long else 0.0,
        "beta": round(float(rng.uniform(*BETA[family])), 3),
    }


def blur_kernel(drawn: Drawn) -> Kernel:
    """The kernel of a :func:`draw_blur`: exp(−d^β / 2), or 1 / (1 + d^β) for a plateau, where d is
    the squared distance in standard deviations (Real-ESRGAN, supplement A)."""
    (long, short), angle = drawn["sigma"], np.radians(drawn["angle"])
    y, x = _grid(SUPPORT * long)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    distance = ((along / long) ** 2 + (across / short) ** 2) ** drawn["beta"]
    weights = 1 / (1 + distance) if drawn["blur"] == "plateau" else np.exp(-0.5 * distance)
    return _normal(weights)


def disc_kernel(radius: float) -> Kernel:
    """A lens out of focus: a disc of `radius` px with a rim one pixel soft."""
    y, x = _grid(radius + 1)
    return _normal(np.clip(radius + 0.5 - np.hypot(x, y), 0, 1))


def path_kernel(points: NDArray[np.float64]) -> Kernel:
    """A shutter open while the picture goes through `points` [n, 2] (x, y, px), as long at each.

    Points are shared out bilinearly, so the kernel turns smoothly with the path.
    """
    radius = int(np.ceil(np.abs(points).max())) + 1
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    x, y = (points + radius).T
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        share = (1 - np.abs(x - x0 - dx)) * (1 - np.abs(y - y0 - dy))
        np.add.at(kernel, (y0 + dy, x0 + dx), share)
    return _normal(kernel)


def blurred(picture: Picture, kernel: Kernel) -> Picture:
    """`picture` under `kernel`, mirrored at its edges."""
    # filter2D correlates: a convolution has the kernel turned by half a circle
    turned = kernel[::-1, ::-1]
    soft = cv2.filter2D(picture, -1, turned, borderType=cv2.BORDER_REFLECT)
    return np.asarray(soft, np.float32)


def resized(picture: Picture, size: tuple[int, int], by: str) -> Picture:
    """`picture` at `size` (height, width) by one of INTERPOLATIONS.

    Bilinear and bicubic look at a few neighbours only: beyond a half they alias, which flickers in
    a video, so a picture is first brought to twice the size by area.
    """
    height, width = size
    if picture.shape[0] > 2 * height:
        picture = cv2.resize(picture, (2 * width, 2 * height), interpolation=cv2.INTER_AREA)
    made = cv2.resize(picture, (width, height), interpolation=INTERPOLATIONS[by])
    return np.asarray(made, np.float32)


def draw_noise(
    rng: np.random.Generator, sigma: tuple[float, float], shot: tuple[float, float]
) -> Drawn:
    """Gaussian noise of a standard deviation within `sigma` (levels), or a sensor's shot noise,
    whose standard deviation is `scale` · √level with the scale within `shot`; half and half."""
    grey = bool(rng.random() < GREY_NOISE)
    if rng.random() < 0.5:
        strength = round(float(rng.uniform(*sigma)), 3)
        return {"noise": "gaussian", "noise_sigma": strength, "grey_noise": grey}
    strength = round(float(rng.uniform(*shot)), 3)
    return {"noise": "poisson", "noise_scale": strength, "grey_noise": grey}


def noisy(picture: Picture, drawn: Drawn, rng: np.random.Generator) -> Picture:
    """`picture` with fresh noise of :func:`draw_noise`.

    Shot noise is Poisson's in its normal approximation, which differs below about ten photons only
    and is ten times as quick.
    """
    channels = 1 if drawn["grey_noise"] else 3
    noise = rng.standard_normal((*picture.shape[:2], channels), np.float32)
    if drawn["noise"] == "gaussian":
        return np.asarray(picture + drawn["noise_sigma"] * noise, np.float32)
    level = np.maximum(picture, 0)
    return np.asarray(picture + drawn["noise_scale"] * np.sqrt(level) * noise, np.float32)


def levels(picture: Picture) -> NDArray[np.uint8]:
    """Rounded and cut to 0–255."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _grid(reach: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    radius = max(1, int(np.ceil(reach)))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    return y, x


def _normal(weights: NDArray[np.float64]) -> Kernel:
    return np.asarray(weights / weights.sum(), np.float32)
