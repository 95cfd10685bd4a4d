"""What each filter said of a pair, beside the threshold it was held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from catalog.records import Pair, asked
from catalog.releases import Catalog
from catalog.report.cards import KEPT_ASIDE
from catalog.report.summary import ThresholdLine, threshold_lines


def judgements(pair: Pair, lines: Sequence[ThresholdLine]) -> list[dict[str, Any]]:
    """What each filter said of the pair, in the order they are asked: `name`, `score`, `rule`
    (`≥ 0.600`; empty where there is no single threshold, or none is known), `passed` (None where it
    did not judge) and `reason`."""
    found = []
    for name in asked([pair]):
        score, reason = getattr(pair, f"{name}_score"), getattr(pair, f"{name}_reason")
        of_score = {line.task: line for line in lines if line.score == name}
        line = of_score.get(pair.task, of_score.get(""))
        passed = None if score is None or reason in KEPT_ASIDE else not reason
        rule = line.rule if line else ""
        found.append(
            {"name": name, "score": score, "rule": rule, "passed": passed, "reason": reason}
        )
    return found


def thresholds_of(dataset: Catalog) -> list[ThresholdLine]:
    """Those of the ref's policy."""
    return threshold_lines(dataset.policy)
