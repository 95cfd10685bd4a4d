"""What the arithmetic edits share: no weights to open or free, and no licence but editmill's."""

from __future__ import annotations

from experts.licences import EDITMILL


class Weightless:
    """Lifecycle and output licence of an expert without weights."""

    output_licence = EDITMILL

    def load(self) -> None:
        """Nothing to fetch."""

    def close(self) -> None:
        """Nothing to free."""
