"""Splits by source: all that was made of one video is in one split, and stays there as a catalog
grows, since a source's place follows from its id alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import polars as pl

from catalog.errors import EditmillError

MADE_OF = "made_of"
"""Column of a selection: the ids of all sources that a record shows."""

_NAME = re.compile(r"[A-Za-z0-9_]{1,32}")


def parse_splits(text: str) -> dict[str, float]:
    """`train=0.95,validation=0.05` as names and shares, in this order.

    Raises EditmillError where it is no such list or the shares do not sum to 1.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.strip().partition("=")
        try:
            value = float(share)
        except ValueError:
            value = 0.0
        if not _NAME.fullmatch(name) or name in shares or not 0 < value <= 1:
            raise EditmillError(
                f"--splits {text!r}: {part.strip()!r} is no split; write name=share with shares "
                "that sum to 1: train=0.95,validation=0.05"
            )
        shares[name] = value
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise EditmillError(
            f"--splits {text!r}: the shares sum to {sum(shares.values()):g}; make them sum to 1"
        )
    return shares


def split_of(source_id: str, shares: Mapping[str, float]) -> str:
    """The split that a source is in: its SHA-256 as a number from 0 to 1 against the shares."""
    place = int.from_bytes(hashlib.sha256(source_id.encode()).digest()[:8]) / 2**64
    below = 0.0
    for name, share in shares.items():
        below += share
        if place < below:
            return name
    return name


def with_splits(frame: pl.DataFrame, shares: Mapping[str, float]) -> pl.DataFrame:
    """`frame` with a column `split`, null for a record made of sources of two splits (an object of
    one video pasted into another): such a record would show one split's footage to the other."""
    sources = frame[MADE_OF].explode().unique().drop_nulls()
    places = pl.DataFrame(
        {"source": sources, "split": [split_of(s, shares) for s in sources]},
        schema={"source": pl.String, "split": pl.String},
    )
    key = frame.columns[0]
    found = (
        frame.select(key, pl.col(MADE_OF).alias("source"))
        .explode("source")
        .join(places, on="source")
        .group_by(key)
        .agg(pl.col("split").unique())
        .select(key, pl.when(pl.col("split").list.len() == 1).then(pl.col("split").list.first()))
    )
    return frame.join(found, on=key, how="left", maintain_order="left")
