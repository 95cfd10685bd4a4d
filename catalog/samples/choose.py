"""A random choice that depends on nothing but the seed and what there is to choose from."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable


def choose(ids: Iterable[str], n: int, seed: int) -> list[str]:
    """`n` of the ids at random, in random order; all of them where there are fewer.

    Each id has a rank that follows from it and the seed alone (SHA-256), and the first `n` are
    taken. So the order in which the ids come does not matter, and in a table that grows most of a
    choice stays as it was.
    """
    return heapq.nsmallest(
        n, ids, key=lambda one: hashlib.sha256(f"{seed}/{one}".encode()).digest()
    )
