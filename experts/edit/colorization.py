"""Grey video: the source side of colorization; the target is the footage in its own colours."""

from __future__ import annotations

import cv2
import numpy as np

from experts.base import EditRequest, EditResult
from experts.edit.weightless import Weightless


class Greying(Weightless):
    """Keeps the luma (ITU-R BT.601 weights) and repeats it over the three channels."""

    name = "greying"
    version = "1"

    def edit(self, request: EditRequest) -> EditResult:
        grey = np.empty_like(request.frames)
        for before, after in zip(request.frames, grey, strict=True):
            after[:] = cv2.cvtColor(before, cv2.COLOR_RGB2GRAY)[..., None]
        return EditResult(grey)
