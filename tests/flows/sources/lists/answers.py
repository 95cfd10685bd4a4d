"""The answers of a catalog, for tests of sources that list files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.flows.sources.answers import KeptAnswers


class Stop(Exception):
    """The build shall stop."""


class Kept(KeptAnswers):
    """Stops after `stop` looks; `documents` are the answers that were put."""

    def __init__(self, folder: Path, round: int = 1, stop: int | None = None) -> None:
        super().__init__(folder, round, self._count_down)
        self.left = stop
        self.documents: list[dict[str, Any]] = []

    def put(self, key: str, answer: dict[str, Any]) -> None:
        self.documents.append(answer)
        super().put(key, answer)

    def _count_down(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Stop
