"""A hash of a checkpoint's files, from samples of them: reading all 20 GB would take longer than an
edit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from catalog.errors import EditmillError
from catalog.keys import digest

BLOCK = 1 << 16
BLOCKS = 64
"""Blocks read of a weight file, evenly spaced, with the first and the last: any training changes
all numbers of a tensor, so two models differ in every block but the header's."""

ENCODERS = ("vae", "text_encoder", "tokenizer")
TRANSFORMER = ("transformer",)


def fingerprint(folder: str | Path, parts: Sequence[str]) -> str:
    """Of the files of these `parts` of a checkpoint in diffusers' layout; 32 hex characters.

    Raises EditmillError where a part is missing.
    """
    root = Path(folder)
    held = []
    for part in parts:
        files = sorted(path for path in (root / part).glob("*") if path.is_file())
        if not files:
            raise EditmillError(f"{root / part}: not there; name the whole checkpoint's folder")
        held += [(part, path.name, path.stat().st_size, _sampled(path)) for path in files]
    return digest(held)


def _sampled(path: Path) -> str:
    size = path.stat().st_size
    taken = hashlib.sha256()
    with path.open("rb") as file:
        if size <= BLOCK * BLOCKS:
            taken.update(file.read())
        else:
            for k in range(BLOCKS):
                file.seek(k * (size - BLOCK) // (BLOCKS - 1))
                taken.update(file.read(BLOCK))
    return taken.hexdigest()
