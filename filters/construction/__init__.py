"""Checks of what follows from footage by arithmetic: maps, grey copies, lost detail, holes.

Such a pair is right or wrong, so nothing is learnt or estimated. The made side is compared with
what the task makes of the real side, on the frames that filters see. No expert is run again, since
that would repeat its faults: each check has its own measures. A pair that is made right may still
leave nothing to learn, such as the edge map of a black picture; that has reasons of its own.
"""

from filters.construction.checks import (
    CHECKS,
    CONSTRUCTED,
    FAMILIES,
    ConstructionFilter,
    constants_of,
)
from filters.construction.verdict import BROKEN, DEGENERATE

__all__ = [
    "BROKEN",
    "CHECKS",
    "CONSTRUCTED",
    "DEGENERATE",
    "FAMILIES",
    "ConstructionFilter",
    "constants_of",
]
