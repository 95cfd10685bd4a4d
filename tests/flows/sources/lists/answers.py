"""The answers of a catalog, for tests of sources that are not local."""

from pathlib import Path
from typing import Any

from catalog.products import Products
from catalog.storage.folder import FolderStorage


class Stop(Exception):
    """The build shall stop."""


class Kept:
    """Answers in a folder's journal. `round` is what a release counts up; `stop` after so many
    looks; `asked` are the keys that were put."""

    def __init__(self, folder: Path, round: int = 1, stop: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._products = Products(FolderStorage(folder))
        self.round, self.left = round, stop
        self.put_keys: list[str] = []
        self.documents: list[dict[str, Any]] = []

    def get(self, key: str) -> dict[str, Any] | None:
        return self._products.get("answers", key)

    def put(self, key: str, answer: dict[str, Any]) -> None:
        self.put_keys.append(key)
        self.documents.append(answer)
        self._products.put("answers", key, answer)

    def rounds(self, search: str) -> int:
        return self.round

    def check_stop(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Stop
