"""The filters of a recipe, sharing the process's one encoder."""

from __future__ import annotations

from collections.abc import Sequence

from filters.alignment import train as probes
from filters.alignment.filter import AlignmentFilter
from filters.construction import ConstructionFilter
from filters.encoder.embedded import EmbeddedEncoder
from filters.judge import FeatureFilter
from filters.quality import train as retrain
from filters.quality.ensemble import QualityFilter
from filters.subtle import SubtleFilter
from flows.recipe import Filters
from flows.runtime.worker import shared


def encoder() -> EmbeddedEncoder:
    """This process's image and text encoder."""
    return shared(EmbeddedEncoder)


def filters_for(rules: Filters) -> Sequence[FeatureFilter]:
    """Construction, quality, alignment and subtle change with the recipe's thresholds, not loaded.

    The quality model must be there: `filters.quality.train.ensure_quality_model` sees to it.
    """
    return (
        ConstructionFilter(rules.construction),
        QualityFilter(encoder(), retrain.model_path(), rules.quality, rules.quality_per_task),
        AlignmentFilter(encoder(), probes.probes_path(), rules.alignment_per_task),
        SubtleFilter(encoder(), rules.subtle),
    )
