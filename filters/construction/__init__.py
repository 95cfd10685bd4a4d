"""Checks of what follows from footage by arithmetic: maps, grey copies, lost detail, holes.

Such a pair is right or it is not, so nothing is learnt and nothing guessed: the made side is held
against what the task says it is of the real side, on the frames that filters see, with measures of
their own (running the same expert again would repeat its faults). A pair made as it should be may
still be worth nothing: an edge map of a black picture. Those have reasons of their own.
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
