"""Which rows of `models` a version names.

A version is numbers and hashes joined by `+` (`7+6f1f3530`: the code's seventh, with these
weights); a model's own version is the beginning of its files' sha256. So a version that is written
in a pair's row leads to the weights, with their origin and licence.
"""

from __future__ import annotations

import re

import polars as pl

from catalog.provenance.document import ModelProvenance

_HASH = re.compile(r"[0-9a-f]{8,}")

PREFIX = 8
"""Hex characters of a hash in a version."""


class ModelIndex:
    """The models at a ref, to be found by the versions that name them. Sample footage, which has
    rows in `models` as well, is left out."""

    def __init__(self, models: pl.DataFrame, trained: pl.DataFrame, footage: pl.Series) -> None:
        """`models` and `trained` are these tables; `footage` the ids of all sources."""
        known = set(footage.str.head(PREFIX))
        self.took_part: list[str] = []
        """Ids of all in `models`, sorted."""
        self._by_hash: dict[str, list[ModelProvenance]] = {}
        for rows, took_part in ((models, True), (trained, False)):
            for row in rows.sort("model_id").iter_rows(named=True):
                hashes = self.hashes(row["version"])
                if not known.isdisjoint(hashes):
                    continue
                if took_part:
                    self.took_part.append(row["model_id"])
                found = ModelProvenance(
                    model_id=row["model_id"], licence=row["licence"], origin=row["origin"]
                )
                for each in hashes:
                    self._by_hash.setdefault(each, []).append(found)

    def named(self, version: str) -> list[ModelProvenance]:
        """The models that a version names."""
        found = [m for each in self.hashes(version) for m in self._by_hash.get(each, ())]
        return list({model["model_id"]: model for model in found}.values())

    @staticmethod
    def hashes(version: str) -> list[str]:
        """The beginnings of the hashes in a version."""
        return [each[:PREFIX] for each in _HASH.findall(version)]

    @staticmethod
    def has_weights(version: str) -> bool:
        """Whether an expert of this version runs trained weights."""
        return _HASH.search(version) is not None
