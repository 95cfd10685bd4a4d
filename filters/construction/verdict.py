"""The words in which a check rejects, and the first of several faults as a verdict."""

from __future__ import annotations

from filters.base import Verdict
from filters.construction.planes import FLICKER, FROZEN, OUT_OF_TIME

MAP_MISMATCH = "map_mismatch"
FOOTAGE_MISMATCH = "footage_mismatch"
HOLE_MISMATCH = "hole_mismatch"
NOT_GREY = "not_grey"
EMPTY_MAP = "empty_map"
FULL_MAP = "full_map"
EMPTY_MASK = "empty_mask"
FULL_MASK = "full_mask"
NOTHING_HIDDEN = "nothing_hidden"
NO_COLOUR = "no_colour"
SAME_DETAIL = "same_detail"
NO_DETAIL = "no_detail"

DEGENERATE = frozenset(
    {EMPTY_MAP, FULL_MAP, EMPTY_MASK, FULL_MASK, NOTHING_HIDDEN, NO_COLOUR, SAME_DETAIL}
)
"""Reasons of pairs that may be made as they should, from footage that leaves nothing to learn."""

BROKEN = frozenset(
    {MAP_MISMATCH, FOOTAGE_MISMATCH, HOLE_MISMATCH, NOT_GREY, FLICKER, FROZEN, OUT_OF_TIME}
    | {NO_DETAIL}
)
"""Reasons of pairs whose made side is not what the task says."""


def verdict(score: float, *faults: tuple[str, bool] | str) -> Verdict:
    """Rejects by the first fault: a reason with whether it holds, or a reason, empty for none."""
    for fault in faults:
        reason, holds = (fault, bool(fault)) if isinstance(fault, str) else fault
        if holds:
            return Verdict(False, score, reason)
    return Verdict(True, score)
