"""The versioned catalog of clips, tracks and instruction pairs.

import catalog
catalog.open("my-dataset", ref="v3").pairs()   # → a polars LazyFrame
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import EditmillError

if TYPE_CHECKING:
    from catalog.releases import Catalog
    from catalog.storage.location import Storage

__all__ = ["EditmillError", "open"]


def open(root: str | Path | Storage, ref: str = "main", create: bool = False) -> Catalog:
    """The catalog at `root` at `ref`; see :func:`catalog.opening.open`."""
    from catalog import opening

    return opening.open(root, ref, create)
