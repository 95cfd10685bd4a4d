"""What a commit of the hub consists of, kept beside the files fetched of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = ".files.json"


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as the hub lists it: `size` in bytes, `sha256` of large ones (empty for others), and
    `blob`, git's SHA-1 of small ones."""

    size: int
    sha256: str
    blob: str

    def is_of(self, path: Path) -> bool:
        """Whether a file on disk is this one; it is read whole."""
        if path.stat().st_size != self.size:
            return False
        with path.open("rb") as file:
            if self.sha256:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
            head = f"blob {self.size}\0".encode()
            return hashlib.sha1(head + file.read(), usedforsecurity=False).hexdigest() == self.blob


def listing(folder: Path) -> dict[str, Listed]:
    """The files of the commit that lies in a folder, fetched or not; empty if that is not known."""
    try:
        table = json.loads((folder / NAME).read_text("utf-8"))
        return {name: Listed(**about) for name, about in table.items()}
    except (OSError, ValueError, TypeError):
        return {}


def write_listing(folder: Path, listed: Mapping[str, Listed]) -> None:
    """Puts it there whole or not at all."""
    text = json.dumps({name: asdict(about) for name, about in listed.items()}, indent=1)
    unfinished = folder / f"{NAME}.part"
    unfinished.write_text(text, "utf-8")
    unfinished.replace(folder / NAME)
