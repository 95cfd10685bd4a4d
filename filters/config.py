"""The filters that a recipe asks for."""

from __future__ import annotations

from collections.abc import Sequence

from filters.alignment import style_probe
from filters.alignment.filter import AlignmentFilter
from filters.construction import ConstructionFilter
from filters.encoder.embedded import EmbeddedEncoder
from filters.judge import FeatureFilter
from filters.quality import model as quality_model
from filters.quality.filter import QualityFilter
from filters.rules import Filters
from filters.subtle import SubtleFilter


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
