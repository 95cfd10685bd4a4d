"""Keys: what a product was made from, as a short hash; and what a file holds, as its SHA-256."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from catalog.errors import BadInput

KEY_LENGTH = 32
"""Hex characters of a key: 128 bits, no collision to be expected below 10¹⁸ products."""


def digest(*parts: Any) -> str:
    """The key of `parts`: SHA-256 of their canonical JSON, 32 hex characters.

    Mappings are equal whatever their order; tuples equal lists; `1`, `1.0`, `"1"` and `True` all
    differ. Raises TypeError for what JSON cannot hold and ValueError for NaN and infinities.
    """
    text = json.dumps(
        parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def file_digest(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, 64 hex characters; memory stays flat.

    Raises BadInput (`unreadable_file`) where it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(
            "unreadable_file",
            f"{path}: cannot be read ({error.strerror}); name a readable file",
            final=False,
        ) from None
