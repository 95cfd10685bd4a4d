"""The filters that a recipe asks for."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.errors import EditmillError
from catalog.query import Queries
from filters.alignment import style_probe
from filters.alignment.clip import ClipAlignmentFilter
from filters.alignment.filter import AlignmentFilter
from filters.construction import ConstructionFilter
from filters.encoder.base import Encoder
from filters.encoder.embedded import EmbeddedEncoder
from filters.judge import FeatureFilter
from filters.quality import model as quality_model
from filters.quality.filter import QualityFilter
from filters.quality.limits import FaultLimits
from filters.rules import Filters
from filters.subtle import SubtleFilter
from filters.trained import file_of


def filters_for(
    rules: Filters, encoder: Encoder, dataset: Queries | None = None
) -> Sequence[FeatureFilter]:
    """Construction, quality, alignment and subtle change, in the order of the catalog's scores,
    sharing one encoder; none is loaded yet.

    `dataset` is the catalog whose trained versions the rules may name. Raises EditmillError where
    a version is not there, or where the rules name style probes for another encoder than the
    embedded one. The models that are shipped are the embedded encoder's; with another,
    quality needs a model of its own, and alignment is a plain similarity without a probe.
    """
    quality = file_of(rules.quality_model, dataset)
    alignment: FeatureFilter
    if isinstance(encoder, EmbeddedEncoder):
        quality = quality or quality_model.SHIPPED
        probes = file_of(rules.style_probes, dataset) or style_probe.SHIPPED
        alignment = AlignmentFilter(encoder, probes, rules.alignment_per_task)
    else:
        if rules.style_probes is not None:
            raise EditmillError(
                "filters.style_probes: style probes belong to the embedded encoder; with "
                f"{encoder.name}, leave them out and set filters.alignment_per_task"
            )
        alignment = ClipAlignmentFilter(encoder, rules.alignment_per_task)
    return (
        ConstructionFilter(rules.construction),
        QualityFilter(
            encoder,
            quality,
            rules.quality,
            rules.quality_per_task,
            limits=FaultLimits(**rules.quality_limits),
        ),
        alignment,
        SubtleFilter(encoder, rules.subtle),
    )


def uncalibrated(filters: Sequence[FeatureFilter]) -> list[str]:
    """One line for each filter that abstains because nobody calibrated it for its encoder: why,
    and what to do about it."""
    judging = (QualityFilter, ClipAlignmentFilter, SubtleFilter)
    lines = [each.uncalibrated for each in filters if isinstance(each, judging)]
    return [line for line in lines if line]
