"""The names of ImageNet's classes as texts: embedded once, then kept in the user's cache.

A thousand names cost three to four core-seconds, for which every process that judges a pair would
wait; what is kept is 1.5 MB and read in a millisecond. It lies among the derived models, under a
name that says which files it comes from.
"""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from catalog.keys import digest
from experts.weights import cache_dir, entry, fetch

if TYPE_CHECKING:
    from filters.encoder.minilm import MiniLM

NAMES = "imagenet_classes"

SLOTS = ("minilm", "minilm_tokenizer", NAMES)
"""Where names and network come from."""

DERIVATION = "1"
"""Rises whenever the same files give other embeddings."""


def class_names() -> list[str]:
    """The thousand, in the order of the network's outputs."""
    names: list[str] = json.loads(Path(fetch(NAMES)).read_text(encoding="utf-8"))
    return names


def class_texts(text: MiniLM) -> NDArray[np.float32]:
    """[1000, 384], rows of length one, by the network of the pinned weights."""
    key = digest(DERIVATION, *(entry(slot).sha256 for slot in SLOTS))
    kept = cache_dir() / "models" / f"imagenet_class_texts-{key}.npy"
    with suppress(OSError, ValueError, EOFError):  # absent, or cut by a machine that went down
        rows: NDArray[np.float32] = np.load(kept)
        return rows
    rows = text.embed(class_names())
    unfinished = kept.with_name(f".{uuid.uuid4().hex}.npy")
    with suppress(OSError):  # keeping only saves time
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            np.save(unfinished, rows)
            unfinished.replace(kept)  # whole or not at all, whoever else is making it
        finally:
            unfinished.unlink(missing_ok=True)
    return rows
