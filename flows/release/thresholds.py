"""Where each filter cuts its score, for the marks in the report and in `editmill show`."""

from __future__ import annotations

from catalog.report.summary import ThresholdLine
from experts.instances import shared
from filters.alignment.filter import AlignmentFilter
from filters.config import filters_for
from filters.encoder.embedded import EmbeddedEncoder
from filters.quality.filter import QualityFilter
from filters.rules import Filters
from filters.subtle import SubtleFilter


def thresholds(rules: Filters) -> list[ThresholdLine]:
    """Where each filter cuts its score, by these rules."""
    lines = [
        ThresholdLine("quality", value, "at_least", task)
        for task, value in rules.quality_per_task.items()
    ]
    for each in filters_for(rules, shared(EmbeddedEncoder)):
        if isinstance(each, QualityFilter):
            lines.append(ThresholdLine(each.name, each.threshold, "at_least"))
        elif isinstance(each, AlignmentFilter):
            lines += [
                ThresholdLine(each.name, found.threshold, "at_least", task)
                for task, found in each.calibrations().items()
            ]
        elif isinstance(each, SubtleFilter):
            lines.append(ThresholdLine(each.name, each.threshold, "at_most"))
    return lines
