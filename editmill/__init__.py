"""A dataset factory for instruction-based video editing: what one imports to read a dataset.

import editmill
dataset = editmill.open("my-dataset", ref="v1")
dataset.pairs()                      # a polars LazyFrame, a row per pair
dataset.sample(task="object_removal", n=4)[0].source   # uint8 [T, H, W, 3]

This is a thin front of four packages: `catalog` (records, media, tables), `experts` (models that
edit), `filters` (judgements), `flows` (the builds and the command). `editmill.records` holds the
types of the tables' rows. `python -m editmill` is the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from editmill.packages import load

load("catalog")

from catalog import EditmillError, open  # noqa: E402

if TYPE_CHECKING:
    from catalog import records as records

__version__ = "0.1.0"

__all__ = ["EditmillError", "__version__", "open", "records"]


def __getattr__(name: str) -> object:
    """Imports `catalog.records`, and polars with it, when it is first used."""
    if name == "records":
        from catalog import records

        return records
    raise AttributeError(f"module 'editmill' has no attribute {name!r}")
