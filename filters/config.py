"""The filters that a recipe asks for."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.query import Queries
from filters.alignment import style_probe
from filters.alignment.filter import AlignmentFilter
from filters.construction import ConstructionFilter
from filters.encoder.embedded import EmbeddedEncoder
from filters.judge import FeatureFilter
from filters.quality import model as quality_model
from filters.quality.filter import QualityFilter
from filters.rules import Filters
from filters.subtle import SubtleFilter
from filters.trained import file_of


def filters_for(
    rules: Filters, encoder: EmbeddedEncoder, dataset: Queries | None = None
) -> Sequence[FeatureFilter]:
    """Construction, quality, alignment and subtle change, in the order of the catalog's scores,
    sharing one encoder; none is loaded yet.

    `dataset` is the catalog whose trained versions the rules may name. Raises EditmillError where
    a version is not there.
    """
    return (
        ConstructionFilter(rules.construction),
        QualityFilter(
            encoder,
            file_of(rules.quality_model, dataset) or quality_model.SHIPPED,
            rules.quality,
            rules.quality_per_task,
        ),
        AlignmentFilter(
            encoder,
            file_of(rules.style_probes, dataset) or style_probe.SHIPPED,
            rules.alignment_per_task,
        ),
        SubtleFilter(encoder, rules.subtle),
    )
