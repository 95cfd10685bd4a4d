"""Finding a row by its key, in a table of any size.

Keys are hashes, so no order of the files helps. The numbers of all rows are kept in memory instead,
sorted by the first 16 hex characters of their keys: 12 bytes a row, made once per version by
reading one column. A row is then read by its number, which costs one row group of one file.
"""

from __future__ import annotations

import re

import numpy as np
import polars as pl
from numpy.typing import NDArray

DIGITS = 16
"""Hex characters that fit into 64 bits."""

_HEX = re.compile(r"[0-9a-f]*")


class KeyIndex:
    """Row numbers by the beginning of a key."""

    def __init__(self, heads: NDArray[np.uint64]) -> None:
        self._order = np.argsort(heads, kind="stable").astype(np.uint32)
        self._heads = heads[self._order]

    @classmethod
    def of(cls, frame: pl.LazyFrame, key: str) -> KeyIndex | None:
        """The index of a frame's key column; None where some keys are not hexadecimal."""
        head = pl.col(key).str.slice(0, DIGITS)
        digits = head.str.to_integer(base=16, dtype=pl.UInt64, strict=False)
        whole = head.str.len_bytes() == DIGITS
        heads = frame.select(pl.when(whole).then(digits)).collect().to_series()
        return None if heads.null_count() else cls(heads.to_numpy())

    def rows(self, prefix: str, limit: int) -> list[int] | None:
        """Up to `limit` rows whose key may begin so, by number; None where `prefix` is not
        hexadecimal. The first DIGITS characters are looked at."""
        head = prefix[:DIGITS].lower()
        if not _HEX.fullmatch(head):
            return None
        first = int(head.ljust(DIGITS, "0"), 16)
        last = int(head.ljust(DIGITS, "f"), 16)
        start = int(np.searchsorted(self._heads, np.uint64(first), "left"))
        end = int(np.searchsorted(self._heads, np.uint64(last), "right"))
        return [int(row) for row in self._order[start : min(end, start + limit)]]
