"""The build's journal: what each step made of each record, so that no step is done twice.

A product is a small JSON document addressed by stage and key (:func:`catalog.keys.digest` of the
inputs, the parameters, the model and its version). It is written last, when the media it names are
in the store: a document that can be read means the step is done. Killed at any instant, a build
finds either the whole document or none.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from catalog.storage.files import sweep, write_bytes

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Products:
    """Documents under `root/work/<stage>/<2 hex>/<key>.json`; safe under threads and processes."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def get(self, stage: str, key: str) -> dict[str, Any] | None:
        """The document, or None where there is none or it cannot be read whole."""
        try:
            document = json.loads(self._path(stage, key).read_bytes())
        except (OSError, ValueError):
            return None
        return document if isinstance(document, dict) else None

    def put(self, stage: str, key: str, doc: dict[str, Any]) -> None:
        """Store the document, on disk when this returns; a later one replaces an earlier one.

        Raises EditmillError where it cannot be written, TypeError for what JSON cannot hold.
        """
        path = self._path(stage, key)
        data = json.dumps(doc, ensure_ascii=False, sort_keys=True).encode()
        write_bytes(path, data)

    def sweep(self) -> None:
        """Remove what killed processes left half-written; a build does this once, at its start."""
        for folder in self.root.glob("work/*/*/"):
            sweep(folder)

    def _path(self, stage: str, key: str) -> Path:
        for name in (stage, key):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no stage or key: letters, digits, '_', '.' and '-'")
        return self.root / "work" / stage / key[:2] / f"{key}.json"
