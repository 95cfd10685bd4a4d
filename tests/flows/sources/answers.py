"""Answers kept in a catalog's journal, of a build of a given round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalog.products import Products
from catalog.storage.folder import FolderStorage


def go() -> None:
    """No stop."""


@dataclass
class KeptAnswers:
    """`put_keys` are those that were put, in their order."""

    folder: Path
    round: int = 1
    check_stop: Callable[[], None] = go
    put_keys: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.products = Products(FolderStorage(self.folder))

    def get(self, key: str) -> dict[str, Any] | None:
        return self.products.get("answers", key)

    def put(self, key: str, answer: dict[str, Any]) -> None:
        self.put_keys.append(key)
        self.products.put("answers", key, answer)

    def rounds(self, search: str) -> int:
        return self.round
