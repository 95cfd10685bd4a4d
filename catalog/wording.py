"""Numbers in sentences."""

from __future__ import annotations


def counted(count: int, one: str, more: str = "") -> str:
    """`1 clip`, `2 clips`; `more` is the plural where it is not `one` with an s."""
    return f"{count} {one if count == 1 else more or one + 's'}"
