"""Commits of a build's branch, where the catalog's storage has branches (lakeFS)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from importlib.metadata import version

from catalog.storage.location import Versioned

SHARDS_PER_COMMIT = 16
"""A commit locks its branch (treeverse/lakeFS#2073), so there is one per batch of shards."""


@dataclass(slots=True)
class Commits:
    """Commits a build's branch as shards are finished; does nothing without a branch."""

    branch: Versioned | None = None
    recipe: str = ""
    shards: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def shard_finished(self) -> None:
        """To be called after the last stage of a shard."""
        with self._lock:
            self.shards += 1
            if self.branch is not None and self.shards % SHARDS_PER_COMMIT == 0:
                self.branch.commit(f"{self.recipe}: {self.shards} shards", self.metadata())

    def metadata(self) -> dict[str, str]:
        """What every commit says: recipe, code, and how much was done."""
        return {"recipe": self.recipe, "code": version("editmill"), "shards": str(self.shards)}
