"""A pair's way from its source to its verdict, read from the tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import polars as pl

from catalog.query import Queries
from catalog.records import SCORES, Clip, Pair, Plan, Source, Track, from_row, to_row
from catalog.releases import Catalog
from catalog.report.cards import KEPT_ASIDE
from catalog.report.summary import ThresholdLine, threshold_lines

R = TypeVar("R")

Lineage = dict[str, Any]
"""`pair`: its row; `source`, `clip`, `track`, `plan`: theirs, or None where the row is gone or the
task has none; `files`: part → path."""


def lineage(dataset: Catalog, pair: Pair) -> Lineage:
    """The rows that a pair came from, and its files."""
    clip = _row(dataset, "clips", Clip, "clip_id", pair.clip_id)
    parts = {"source": pair.source_video, "target": pair.target_video, "mask": pair.mask}
    return {
        "pair": to_row(pair) | {"params": pair.params, "filter_versions": pair.filter_versions},
        "source": _row(dataset, "sources", Source, "source_id", pair.source_id),
        "clip": clip,
        "track": _row(dataset, "tracks", Track, "track_id", pair.track_id),
        "plan": _row(dataset, "plans", Plan, "plan_id", pair.plan_id),
        "files": {part: str(dataset.path(ref)) for part, ref in parts.items() if ref},
    }


def judgements(pair: Pair, lines: Sequence[ThresholdLine]) -> list[dict[str, Any]]:
    """What each filter said of the pair, in the order they are asked: `name`, `score`, `rule`
    (`≥ 0.60`; empty where there is no single threshold, or none is known), `passed` (None where it
    did not judge) and `reason`."""
    found = []
    for name in SCORES:
        score, reason = getattr(pair, f"{name}_score"), getattr(pair, f"{name}_reason")
        of_score = {line.task: line for line in lines if line.score == name}
        line = of_score.get(pair.task, of_score.get(""))
        passed = None if score is None or reason in KEPT_ASIDE else not reason
        rule = f"{'≥' if line.keeps == 'at_least' else '≤'} {line.value:.2f}" if line else ""
        found.append(
            {"name": name, "score": score, "rule": rule, "passed": passed, "reason": reason}
        )
    return found


def thresholds_of(dataset: Catalog) -> list[ThresholdLine]:
    """Those of the ref's policy."""
    return threshold_lines(dataset.policy)


def _row(dataset: Queries, table: str, record: type[R], key: str, value: str) -> R | None:
    if not value:
        return None
    found = dataset.table(table).filter(pl.col(key) == value).collect()
    return None if found.is_empty() else from_row(record, found.row(0, named=True))
