"""Where each filter cuts its score, for the marks in the report and in `editmill show`."""

from __future__ import annotations

from catalog.report.summary import ThresholdLine
from filters.alignment.alignment import Alignment
from filters.config import filters_for
from filters.quality.ensemble import QualityFilter
from filters.subtle import SubtleChange
from flows.recipe import Filters


def thresholds(rules: Filters) -> list[ThresholdLine]:
    """Where each filter cuts its score, by these rules and this machine's calibrations."""
    lines = [
        ThresholdLine("quality", value, "at_least", task)
        for task, value in rules.quality_per_task.items()
    ]
    for each in filters_for(rules):
        if isinstance(each, QualityFilter):
            lines.append(ThresholdLine(each.name, each.threshold, "at_least"))
        elif isinstance(each, Alignment):
            lines += [
                ThresholdLine(each.name, found.threshold, "at_least", task)
                for task, found in each.calibrations().items()
            ]
        elif isinstance(each, SubtleChange):
            lines.append(ThresholdLine(each.name, each.threshold, "at_most"))
    return lines
