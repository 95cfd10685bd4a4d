"""The recipe's `records` section: VIVID-10M's local-editing records."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from catalog.validated import Part
from experts.masks.kinds import KINDS

Share = Annotated[float, Field(ge=0, le=1e6)]


class Records(Part):
    """Which local-editing records are drawn; the defaults are VIVID-10M's unless marked ours."""

    per_clip: int = Field(default=8, ge=1, le=1000)  # videos; ours
    images_per_video: float = Field(default=10, ge=0, le=1000)  # Sec. 4.4, training batches
    weights: dict[Literal["addition", "modification", "deletion"], Share] = Field(
        default={"addition": 1.5, "modification": 1.5, "deletion": 1}  # Sec. 4.4: together 3:1
    )
    kinds: dict[Literal[KINDS], Share] = Field(  # type: ignore[valid-type]
        default=dict.fromkeys(KINDS, 1.0)  # Sec. 3.3: every mask in all six
    )
    min_seconds: float = Field(default=5, gt=0, le=86_400)  # Sec. 3, videos
    min_lines: int = Field(default=720, ge=64, le=16_384)  # Sec. 1, the source's shorter side
    # Table 1, a record's shorter side; never upscaled.
    lines: int = Field(default=720, ge=64, le=16_384)
    background_share: float = Field(
        default=0.5, ge=0, le=1
    )  # of deletions, rest by trajectory; ours
    grow: tuple[float, float] = (0.04, 0.2)  # `expand` over the object's mean side; ours
    paste_scale: tuple[float, float] = (0.6, 1.2)  # of a pasted mask against its own picture; ours
    min_area: float = Field(default=0.004, gt=0)  # share of the picture; ours, as are those below
    max_area: float = Field(default=0.35, le=1)
    max_masked: float = Field(default=0.6, le=1)  # of the picture, after augmentation
    min_score: float = Field(default=0.5, ge=0, le=1)  # the detector's; below, posters turn people
    min_confidence: float = Field(default=0.6, ge=0, le=1)  # the tracker's, mean over the window

    @field_validator("weights", "kinds")
    @classmethod
    def _any(cls, weights: dict[str, float]) -> dict[str, float]:
        if not any(weights.values()):
            raise ValueError("at least one needs a weight above 0")
        return weights
