"""Depth maps as video: the target of depth detection, the source of depth→video.

Off in the embedded recipe: which model serves is the user's choice (see `annotate/maps/depth.py`).
"""

from __future__ import annotations

import numpy as np

from experts.annotate.maps.depth import DepthAnything, DepthModel, greys, steadied
from experts.base import EditRequest, EditResult
from experts.licences import EDITMILL, OutputLicence, combined


class DepthMap:
    """Relative depth, bright is near, the same in all three channels; `info` has the clip's range
    (`darkest`, `brightest`) in the model's own units. `model` None: see DepthModel."""

    name = "depth"

    def __init__(self, model: DepthAnything | None = None) -> None:
        self._model = model or DepthModel()

    @property
    def parts(self) -> tuple[DepthAnything]:
        """The model it is made with."""
        return (self._model,)

    @property
    def output_licence(self) -> OutputLicence | None:
        """Of editmill's code and the checkpoint's output, where that is known."""
        return combined([EDITMILL, self._model.output_licence])

    @property
    def version(self) -> str:
        """The depth model's; :class:`EditmillError` says what to set where there is none."""
        return self._model.version

    def load(self) -> None:
        """Opens the depth model; raises EditmillError, one line, if it cannot be had."""
        self._model.load()

    def close(self) -> None:
        """Frees it."""
        self._model.close()

    def edit(self, request: EditRequest) -> EditResult:
        steady = steadied(self._model.disparity(request.frames))
        grey, (low, high) = greys(steady, request.frames.shape[1:3])
        info = {"darkest": round(low, 4), "brightest": round(high, 4)}
        return EditResult(np.repeat(grey[..., None], 3, axis=3), info=info)
