"""What VIVID-10M publishes beside its records (Sec. 3.4): counts, caption lengths, motion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from catalog.keys import digest
from catalog.records import LocalEdit, Statistic
from experts.local_edits.captions import words

MOTION_EDGES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Lower edges of the bins of motion, px per frame at the working size of
`experts.annotate.motion.statistics`; the last one is open."""

MOST_LABELS = 30


def statistics(edits: Sequence[LocalEdit]) -> list[Statistic]:
    """Every distribution, per subset; a bin that is empty within its range is there with 0."""
    rows: list[Statistic] = []
    for subset in ("video", "image"):
        own = [e for e in edits if e.subset == subset]
        drawn = [e for e in own if e.task != "deletion"]  # the others share one caption
        for name, values in (
            ("task", [e.task for e in own]),
            ("label", [e.label for e in own]),
            ("mask_kind", [e.mask_kind for e in own]),
        ):
            most = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
            rows += _rows(name, subset, most[:MOST_LABELS])
        for length in ("short", "medium", "long"):
            lengths = [words(getattr(e, f"caption_{length}")) for e in drawn]
            rows += _rows(
                f"caption_{length}_words", subset, _whole(lengths), start=min(lengths, default=0)
            )
        for what in ("foreground", "background", "relative"):
            moves = [m for e in own if (m := getattr(e, f"motion_{what}")) is not None]
            rows += _rows(f"motion_{what}", subset, _binned(moves))
    return rows


def _whole(values: Sequence[int]) -> list[tuple[str, int]]:
    counts = Counter(values)
    return [(str(v), counts[v]) for v in range(min(values, default=1), max(values, default=0) + 1)]


def _binned(values: Sequence[float]) -> list[tuple[str, int]]:
    if not values:
        return []
    bins = []
    for k, low in enumerate(MOTION_EDGES):
        high = MOTION_EDGES[k + 1] if k + 1 < len(MOTION_EDGES) else float("inf")
        name = f"{low:g}–{high:g}" if high < float("inf") else f"{low:g} or more"
        bins.append((name, sum(low <= value < high for value in values)))
    return bins


def _rows(
    name: str, subset: str, counts: Iterable[tuple[str, int]], start: int = 0
) -> list[Statistic]:
    return [
        Statistic(digest("statistic", name, subset, value), name, subset, value, start + k, count)
        for k, (value, count) in enumerate(counts)
    ]
