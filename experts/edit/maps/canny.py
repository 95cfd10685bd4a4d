"""Canny edge maps as video: the source side of canny→video."""

from __future__ import annotations

import numpy as np

from experts.annotate.maps.edges import canny
from experts.base import EditRequest, EditResult
from experts.edit.weightless import Weightless


class CannyMap(Weightless):
    """White edges on black, the same in all three channels."""

    name = "canny"
    version = "1"

    def edit(self, request: EditRequest) -> EditResult:
        return EditResult(np.repeat(canny(request.frames)[..., None], 3, axis=3))
