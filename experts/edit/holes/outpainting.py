"""A black border: the source side of outpainting; the target is the whole footage."""

from __future__ import annotations

import numpy as np

from experts.base import EditRequest, EditResult
from experts.edit.weightless import Weightless

SIDES = ("top", "bottom", "left", "right")

WIDTH = (0.10, 0.25)
"""Width of the border on one side, share of the frame's height (top, bottom) or width: with all
four sides at their widest a quarter of the frame stays."""


class Outpainting(Weightless):
    """Blacks out one to four sides, the same ones in every frame.

    Which and how wide is drawn from the seed and told in `info`, px per side.
    """

    name = "border"
    version = "1"

    def edit(self, request: EditRequest) -> EditResult:
        rng = np.random.default_rng(request.seed)
        count, height, width = request.frames.shape[:3]
        chosen = rng.permutation(len(SIDES))[: int(rng.integers(1, len(SIDES) + 1))]
        border = dict.fromkeys(SIDES, 0)
        for i in sorted(chosen):
            length = height if SIDES[i] in ("top", "bottom") else width
            border[SIDES[i]] = max(1, round(rng.uniform(*WIDTH) * length))

        mask = np.ones((height, width), bool)
        mask[
            border["top"] : height - border["bottom"], border["left"] : width - border["right"]
        ] = False
        frames = request.frames.copy()
        frames[:, mask] = 0
        return EditResult(frames, np.repeat(mask[None], count, axis=0), border)
