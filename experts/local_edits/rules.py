"""The recipe's `records` section: VIVID-10M's local-editing records."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from catalog.validated import Part
from experts.masks.kinds import KINDS

Share = Annotated[float, Field(ge=0, le=1e6)]
NotNegative = Annotated[float, Field(ge=0, le=1000)]
Positive = Annotated[float, Field(gt=0, le=1000)]


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
    # `expand` over the object's mean side; ours.
    grow: tuple[NotNegative, NotNegative] = (0.04, 0.2)
    # Of a pasted mask against its own picture; ours.
    paste_scale: tuple[Positive, Positive] = (0.6, 1.2)
    # Share of the picture; ours, as are those below.
    min_area: float = Field(default=0.004, gt=0, le=1)
    max_area: float = Field(default=0.35, gt=0, le=1)
    max_masked: float = Field(default=0.6, gt=0, le=1)  # of the picture, after augmentation
    min_score: float = Field(default=0.5, ge=0, le=1)  # the detector's; below, posters turn people
    min_confidence: float = Field(default=0.6, ge=0, le=1)  # the tracker's, mean over the window

    @field_validator("weights", "kinds")
    @classmethod
    def _any(cls, weights: dict[str, float]) -> dict[str, float]:
        if not any(weights.values()):
            raise ValueError("at least one needs a weight above 0")
        return weights

    @field_validator("grow", "paste_scale")
    @classmethod
    def _rising(cls, given: tuple[float, float]) -> tuple[float, float]:
        low, high = given
        if low > high:
            raise ValueError(f"goes from {low} to {high}; give the lower one first")
        return given

    @model_validator(mode="after")
    def _possible(self) -> Records:
        self.check_order("min_area", "max_area")
        self.check_order("min_area", "max_masked")
        return self
