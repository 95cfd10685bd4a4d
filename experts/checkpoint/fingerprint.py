"""The content of a folder's files as one digest, without reading them twice.

A file's SHA-256 is remembered in editmill's cache under its device, inode, size and times of change
(of the content, which can be set, and of the inode, which cannot), so that 30 GB of weights are
read once and not by every build.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from catalog.keys import digest, file_digest
from experts.weights import cache_dir

PARALLEL = 4
"""Files read at once; hashlib lets other threads run."""

WORTHWHILE = 1 << 20
"""Bytes from which a digest is remembered; below, reading is as quick."""

SETTLED = 2.0
"""Seconds since a file's last change from which its digest is remembered: within the clock's
resolution (FAT has two seconds) it could change again and look the same."""


def content_digest(folder: Path, names: Iterable[str]) -> str:
    """Of these files' bytes, in the order of their names, whatever those are.

    Raises BadInput for one that cannot be read.
    """
    with ThreadPoolExecutor(PARALLEL) as pool:
        return digest(list(pool.map(lambda name: _file(folder / name), sorted(names))))


def _file(path: Path) -> str:
    about = path.stat()
    if about.st_size < WORTHWHILE:
        return file_digest(path)
    key = digest(about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
    note = cache_dir() / "digests" / key
    with contextlib.suppress(OSError):
        return note.read_text("ascii")
    found = file_digest(path)
    if time.time() - about.st_ctime > SETTLED:
        _remember(note, found)
    return found


def _remember(note: Path, found: str) -> None:
    """Nothing is lost but time where the cache cannot be written."""
    unfinished = note.with_name(f"{note.name}.{uuid.uuid4().hex}")
    with contextlib.suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(found, "ascii")
        unfinished.replace(note)
