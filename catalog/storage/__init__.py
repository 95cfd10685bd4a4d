"""Where a catalog lies, and how its objects are read and written."""

from __future__ import annotations

from pathlib import Path

from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage


def open_storage(uri: str | Path) -> Storage:
    """The storage at a folder's path."""
    return FolderStorage(uri)
