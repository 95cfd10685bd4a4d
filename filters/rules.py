"""A recipe's `filters` section."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_serializer, field_validator

from catalog.errors import printable
from catalog.validated import Part
from filters.construction import CHECKS, constants_of

QUALITY_THRESHOLD = 0.6
"""Least score of the quality filter that is kept (Señorita-2M; a recipe may change it per task)."""


class Filters(Part):
    """Thresholds and models of the filters; None takes the filter's own threshold, calibrated for
    its encoder, and the model that is shipped."""

    quality: float = Field(default=QUALITY_THRESHOLD, ge=0, le=1)  # Señorita-2M
    quality_per_task: dict[str, float] = Field(default_factory=dict)
    quality_model: Path | None = None  # made by `editmill train quality --out FILE`
    alignment_per_task: dict[str, float] = Field(default_factory=dict)
    style_probes: Path | None = None  # made by `editmill train alignment --out FILE`
    subtle: float | None = Field(default=None, gt=0, le=1)
    construction: dict[str, dict[str, float]] = Field(default_factory=dict)  # by family of tasks

    @field_validator("quality_model", "style_probes")
    @classmethod
    def _is_there(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():  # else a build would find out when it judges
            raise ValueError(f"there is no file {path}")
        return path

    @field_serializer("quality_model", "style_probes", when_used="json")
    def _printable(self, path: Path | None) -> str | None:
        return None if path is None else printable(path)

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
