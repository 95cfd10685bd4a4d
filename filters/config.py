"""A recipe's `filters` section, and the filters that it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, field_serializer, field_validator

from catalog.errors import printable
from catalog.validated import Part
from filters.alignment import style_probe
from filters.alignment.filter import AlignmentFilter
from filters.construction import CHECKS, ConstructionFilter, constants_of
from filters.encoder.embedded import EmbeddedEncoder
from filters.judge import FeatureFilter
from filters.quality import model as quality_model
from filters.quality.filter import THRESHOLD, QualityFilter
from filters.subtle import SubtleFilter


class Filters(Part):
    """Thresholds and models of the filters; None takes the filter's own threshold, calibrated for
    its encoder, and the model that is shipped."""

    quality: float = Field(default=THRESHOLD, ge=0, le=1)  # Señorita-2M
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


def filters_for(rules: Filters, encoder: EmbeddedEncoder) -> Sequence[FeatureFilter]:
    """Construction, quality, alignment and subtle change, in the order of the catalog's scores,
    sharing one encoder; none is loaded yet."""
    return (
        ConstructionFilter(rules.construction),
        QualityFilter(
            encoder,
            rules.quality_model or quality_model.SHIPPED,
            rules.quality,
            rules.quality_per_task,
        ),
        AlignmentFilter(
            encoder, rules.style_probes or style_probe.SHIPPED, rules.alignment_per_task
        ),
        SubtleFilter(encoder, rules.subtle),
    )
