"""The filters of a recipe, sharing one encoder, loaded once per process."""

from __future__ import annotations

from collections.abc import Sequence

from filters.alignment import Alignment
from filters.encoder import Encoder
from filters.judge import FeatureFilter
from filters.quality import QualityFilter, QualityModel
from filters.subtle import SubtleChange
from flows import probes, retrain
from flows.recipe import Filters
from flows.worker import loaded


def encoder() -> Encoder:
    """This process's image and text encoder."""
    return loaded(Encoder)


def filters_for(rules: Filters) -> Sequence[FeatureFilter]:
    """Quality, alignment and subtle change with the recipe's thresholds, loaded.

    The quality model must be there: `flows.retrain.ensure_quality_model` sees to it.
    """
    shared = encoder()
    filters = (
        QualityFilter(shared, _model(), rules.quality, rules.quality_per_task),
        Alignment(shared, probes.probes_path(), rules.alignment_per_task),
        SubtleChange(shared, rules.subtle),
    )
    for each in filters:
        each.load()
    return filters


def _model() -> QualityModel:
    return QualityModel.load(retrain.model_path())
