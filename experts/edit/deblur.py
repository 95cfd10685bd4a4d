"""Blurred video: the source side of deblurring; the target is the sharp footage.

One kernel per clip, a Gaussian or a straight camera shake, then a little sensor noise, fresh in
every frame. Lengths are shares of the frame's short side, so that a clip looks equally blurred at
any size.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import EditRequest, EditResult
from experts.edit.weightless import Weightless

GAUSSIAN_SIGMA = (0.004, 0.010)
"""Standard deviation, share of the short side: 1.3–3.4 px at 336. Chosen by eye: plainly soft,
still readable."""

MOTION_LENGTH = (0.02, 0.05)
"""Length of the shake, share of the short side: 7–17 px at 336."""

NOISE_SIGMA = (0.5, 3.0)
"""Standard deviation of the noise, in levels of 255."""


def motion_kernel(length: float, angle: float) -> NDArray[np.float32]:
    """A straight stroke of `length` px at `angle` degrees from the x axis; sums to 1, odd-sided.

    Points along the stroke are shared out bilinearly, so the kernel turns smoothly with the angle.
    """
    radius = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1), np.float64)
    steps = np.linspace(-length / 2, length / 2, 8 * kernel.shape[0])
    x = radius + steps * np.cos(np.radians(angle))
    y = radius + steps * np.sin(np.radians(angle))
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        share = (1 - np.abs(x - x0 - dx)) * (1 - np.abs(y - y0 - dy))
        np.add.at(kernel, (y0 + dy, x0 + dx), share)
    return (kernel / kernel.sum()).astype(np.float32)


class Blurring(Weightless):
    """Blurs and adds noise; kind and strengths are drawn from the seed and told in `info`."""

    name = "blurring"
    version = "1"

    def edit(self, request: EditRequest) -> EditResult:
        rng = np.random.default_rng(request.seed)
        side = min(request.frames.shape[1:3])
        info: dict[str, Any] = {"blur": str(rng.choice(["gaussian", "motion"]))}
        if info["blur"] == "gaussian":
            info["sigma"] = round(float(rng.uniform(*GAUSSIAN_SIGMA)) * side, 3)
        else:
            info["length"] = round(float(rng.uniform(*MOTION_LENGTH)) * side, 3)
            info["angle"] = round(float(rng.uniform(0, 180)), 2)
        info["noise"] = round(float(rng.uniform(*NOISE_SIGMA)), 3)

        blurred = np.empty_like(request.frames)
        for before, after in zip(request.frames, blurred, strict=True):
            soft = self._blur(before.astype(np.float32), info)
            soft += info["noise"] * rng.standard_normal(soft.shape, np.float32)
            after[:] = np.clip(np.rint(soft), 0, 255)
        return EditResult(blurred, info=info)

    @staticmethod
    def _blur(frame: NDArray[np.float32], info: dict[str, Any]) -> NDArray[np.float32]:
        if info["blur"] == "gaussian":
            soft = cv2.GaussianBlur(frame, (0, 0), info["sigma"], borderType=cv2.BORDER_REFLECT)
        else:
            kernel = motion_kernel(info["length"], info["angle"])
            soft = cv2.filter2D(frame, -1, kernel, borderType=cv2.BORDER_REFLECT)
        return soft.astype(np.float32, copy=False)
