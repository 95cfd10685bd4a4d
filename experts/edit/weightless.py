"""What the arithmetic edits share: there is nothing to open and nothing to free."""

from __future__ import annotations


class Weightless:
    """Lifecycle of an expert without weights."""

    def load(self) -> None:
        """Nothing to fetch."""

    def close(self) -> None:
        """Nothing to free."""
