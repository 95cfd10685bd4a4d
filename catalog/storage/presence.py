"""Whether a catalog's folder is still there, asked before its tables are read or written.

Without that, a catalog whose folder was renamed while it was open would read as an empty one, or as
a damaged one whose remedy would be to remove its releases.
"""

from __future__ import annotations

from pathlib import Path

from catalog.errors import EditmillError
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage


class Presence:
    """What was there of a catalog in a folder; it knows nothing of catalogs elsewhere."""

    def __init__(self, storage: Storage) -> None:
        self._uri = storage.uri
        self._folder = storage.root if isinstance(storage, FolderStorage) else None
        self._seen: set[Path] = set()
        self.refuse_if_gone()

    def refuse_if_gone(self) -> None:
        """Raises EditmillError where the folder, or its `tables`, was there before and is not now.

        A catalog that is being made has neither at first, so what never was there is no error.
        """
        if self._folder is None:
            return
        self._refuse(
            self._folder,
            f"{self._uri}: is no longer there; it was renamed, moved or removed after it was "
            "opened: open it where it is now",
        )
        tables = self._folder / "tables"
        self._refuse(
            tables,
            f"{tables}: is no longer there, but was when the catalog was opened; restore it from a "
            "copy, or build again: the rows are written from what the build remembers",
        )

    def _refuse(self, folder: Path, message: str) -> None:
        try:
            folder.stat()
        except (FileNotFoundError, NotADirectoryError):
            if folder in self._seen:
                raise EditmillError(message) from None
        except OSError:
            return  # whoever reads it says why it cannot be read
        else:
            self._seen.add(folder)
