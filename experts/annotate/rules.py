"""The recipe's `annotate` section."""

from __future__ import annotations

from pydantic import Field

from catalog.validated import Part


class Annotate(Part):
    """Detection and tracking."""

    keyframe_seconds: float = Field(default=0.64, gt=0, le=3600)  # between two: 16 frames at 25 fps
    score_threshold: float = Field(default=0.35, gt=0, lt=1)
    max_objects: int = Field(default=12, ge=1, le=1000)
