"""A recipe's `filters` section."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_serializer, field_validator

from catalog.errors import printable
from catalog.validated import Part
from filters.construction import CHECKS, constants_of
from filters.quality.limits import FaultLimits
from filters.vlm.rules import Vlm

QUALITY_THRESHOLD = 0.6
"""Least score of the quality filter that is kept (Señorita-2M; a recipe may change it per task)."""


LATEST = "latest"
"""In a recipe: the version of a filter's model that was promoted last (filters.trained)."""

QualityVersion = Annotated[str, Field(pattern=rf"^({LATEST}|quality@[0-9a-f]{{12}})$")]
AlignmentVersion = Annotated[str, Field(pattern=rf"^({LATEST}|alignment@[0-9a-f]{{12}})$")]


class Filters(Part):
    """Thresholds and models of the filters; None takes the filter's own threshold, calibrated for
    its encoder, and the model that is shipped.

    A model is a file, or a version that `editmill retrain` made in the catalog: `latest` or
    `<filter>@<version>`.
    """

    quality: float = Field(default=QUALITY_THRESHOLD, ge=0, le=1)  # Señorita-2M
    quality_per_task: dict[str, float] = Field(default_factory=dict)
    quality_limits: dict[str, float] = Field(  # of plain faults: filters.quality.limits
        default_factory=dict, exclude_if=lambda limits: not limits
    )
    quality_model: QualityVersion | Path | None = None  # or `editmill train quality --out FILE`
    alignment_per_task: dict[str, float] = Field(default_factory=dict)
    style_probes: AlignmentVersion | Path | None = None  # or `editmill train alignment --out …`
    subtle: float | None = Field(default=None, gt=0, le=1)
    construction: dict[str, dict[str, float]] = Field(default_factory=dict)  # by family of tasks
    # Left out where it is the default, so that older recipes stay what they were.
    vlm: Vlm = Field(default=Vlm(), exclude_if=lambda vlm: vlm == Vlm())

    @field_validator("quality_model", "style_probes")
    @classmethod
    def _is_there(cls, model: str | Path | None) -> str | Path | None:
        # Else a build would find out when it judges.
        if isinstance(model, Path) and not model.is_file():
            raise ValueError(
                f"there is no file {model}; name a file, `{LATEST}` or a version of this filter as "
                "`editmill retrain` prints it"
            )
        return model

    @field_validator("quality_limits")
    @classmethod
    def _known_limits(cls, given: dict[str, float]) -> dict[str, float]:
        known = tuple(field.name for field in dataclasses.fields(FaultLimits))
        for name in given:
            if name not in known:
                raise ValueError(
                    f"plain faults have no limit {name!r}; there are: {', '.join(known)}"
                )
        return given

    @field_serializer("quality_model", "style_probes", when_used="json")
    def _printable(self, model: str | Path | None) -> str | None:
        return printable(model) if isinstance(model, Path) else model

    @field_validator("construction")
    @classmethod
    def _known_constants(cls, given: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        for family, constants in given.items():
            if family not in CHECKS:
                raise ValueError(
                    f"nothing is checked as {family!r}; there are: {', '.join(CHECKS)}"
                )
            known = constants_of(family)
            for name in constants:
                if name not in known:
                    raise ValueError(
                        f"{family} has no constant {name!r}; there are: {', '.join(known)}"
                    )
        return given
