"""HED edge maps as video: the target of HED detection, the source of HED→video."""

from __future__ import annotations

import numpy as np

from experts.annotate.maps.edges import Hed
from experts.base import EditRequest, EditResult
from experts.licences import of_weights


class HedMap:
    """Soft edges, 0 none to 255 certain, the same in all three channels."""

    name = "hed"
    slots = Hed.slots
    output_licence = of_weights(*slots)

    def __init__(self) -> None:
        self._hed = Hed()

    @property
    def version(self) -> str:
        """The edge detector's version: nothing is added to it here."""
        return self._hed.version

    def load(self) -> None:
        self._hed.load()

    def close(self) -> None:
        self._hed.close()

    def edit(self, request: EditRequest) -> EditResult:
        return EditResult(np.repeat(self._hed.hed(request.frames)[..., None], 3, axis=3))
