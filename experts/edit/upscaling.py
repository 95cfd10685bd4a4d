"""Small video: the source side of upscaling, kept at its true smaller size."""

from __future__ import annotations

import cv2
import numpy as np

from catalog.errors import BadInput
from experts.base import EditRequest, EditResult
from experts.edit.weightless import Weightless

FACTORS = (2, 4)

MIN_SIDE = 32
"""px; a smaller short side holds nothing that an upscaler could learn from."""


def _even(length: float) -> int:
    """The nearest even number: 4:2:0 chroma, which every encoder of ours uses, needs one."""
    return 2 * round(length / 2)


class Downscaling(Weightless):
    """Area-averages by a factor drawn from the seed.

    Output [T, H/factor, W/factor, 3], both sides rounded to even. Raises :class:`BadInput`
    (`too_small`) if even the smallest factor leaves a side under MIN_SIDE.
    """

    name = "downscaling"
    version = "1"

    def edit(self, request: EditRequest) -> EditResult:
        height, width = request.frames.shape[1:3]
        factors = [f for f in FACTORS if min(height, width) / f >= MIN_SIDE]
        if not factors:
            raise BadInput(
                "too_small",
                f"{width}x{height} is too small to be an upscaling target: "
                f"the short side needs {MIN_SIDE * FACTORS[0]} px",
            )
        factor = int(np.random.default_rng(request.seed).choice(factors))
        size = (_even(width / factor), _even(height / factor))
        small = np.stack(
            [cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in request.frames]
        )
        return EditResult(small.astype(np.uint8, copy=False), info={"factor": factor})
