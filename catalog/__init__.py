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

__all__ = ["EditmillError", "open"]


def open(root: str | Path, ref: str = "main", create: bool = False) -> Catalog:
    """The catalog in folder `root` at `ref`; see :func:`catalog.releases.open`."""
    from catalog import releases as versions

    return versions.open(root, ref, create)
