"""Object grounding: prompted instances in distinct saturated colours, all else black."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.base import EditRequest, EditResult, Masks
from experts.edit.weightless import Weightless


def palette(count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """`count` fully saturated RGB colours [count, 3], hues evenly apart, order and start drawn.

    Up to 180 of them differ: OpenCV's 8-bit hue has that many steps.
    """
    hues = (rng.uniform(0, 180) + 180.0 * rng.permutation(count) / count) % 180
    hsv = np.full((1, count, 3), 255, np.uint8)
    hsv[0, :, 0] = np.floor(hues)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0].astype(np.uint8, copy=False)


class Grounding(Weightless):
    """Paints instance masks.

    `request.params["instance_masks"]`, a sequence of [T, H, W] masks, gives each instance a colour
    of its own; without it `request.masks` is the one instance. Where two overlap, the one that is
    smaller over the clip lies on top. Raises :class:`BadInput` (`no_mask`) if nothing is marked.
    """

    name = "grounding"
    version = "1"

    def edit(self, request: EditRequest) -> EditResult:
        instances = self._instances(request)
        colours = palette(len(instances), np.random.default_rng(request.seed))
        painted = np.zeros_like(request.frames)
        areas = [int(np.count_nonzero(mask)) for mask in instances]
        for i in sorted(range(len(instances)), key=lambda i: -areas[i]):
            painted[instances[i]] = colours[i]
        return EditResult(painted, info={"colours": colours.tolist(), "instances": len(instances)})

    @staticmethod
    def _instances(request: EditRequest) -> list[Masks]:
        given = request.params.get("instance_masks")
        if given is None:
            given = [] if request.masks is None else [request.masks]
        masks = [np.asarray(mask, bool) for mask in given]
        for mask in masks:
            if mask.shape != request.frames.shape[:3]:
                raise BadInput(
                    "mask_shape",
                    f"a mask is {mask.shape}, the frames are {request.frames.shape[:3]}: "
                    "resize the mask to the edit's size",
                )
        masks = [mask for mask in masks if mask.any()]
        if not masks:
            raise BadInput("no_mask", "grounding needs a mask that marks something; none was given")
        return masks
