"""Which of a catalog's records are trained on."""

from __future__ import annotations

from pydantic import Field, model_validator

from catalog.validated import Part
from experts.diffusion.training.recipe import Share


class RecordSelection(Part):
    """The `data` part of a training's settings; the figures are our own choices."""

    held_out: Share = 0.1  # share of the sources; at least one source
    max_records: int | None = Field(default=None, ge=2)  # clips, pairs or local edits; None: all
    min_score: Share = 0.5  # of an object's track: the detector's confidence
    min_area: Share = 0.004  # of the frame: the mean area of a track's mask, as in a build
    max_area: Share = 0.35

    @model_validator(mode="after")
    def _possible(self) -> RecordSelection:
        self.check_order("min_area", "max_area")
        return self
