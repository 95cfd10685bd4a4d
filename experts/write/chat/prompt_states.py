"""States of a model after the beginnings of prompts, kept on disk between processes.

A task's beginning takes seconds to compute and is the same in every build. The states lie beside
the weights: a machine computes each once, and a process that is killed leaves nothing behind that
piles up. A file's name ends with a digest of its content, since llama.cpp aborts the process at a
state that lacks its last bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from experts.weights import cache_dir

MOST_KEPT = 64
"""States of a model, 4 MB each: more than there are tasks. The longest unused ones go."""


class PromptStates:
    """A folder of states, each in a file. Threads and processes may share it."""

    def __init__(self, model: str) -> None:
        """`model` tells apart whatever a state depends on: weights, library, sizes. Where the cache
        cannot be written to, the states are this object's alone."""
        self._whole: set[str] = set()  # names of files that were looked through
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self.folder = cache_dir() / "prompts" / model
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.folder).close()
        except OSError:
            self._temporary = tempfile.TemporaryDirectory(prefix="editmill-prompts-")
            self.folder = Path(self._temporary.name)

    def restored(self, name: str, restore: Callable[[str], bool]) -> bool:
        """Whether the state is there and `restore`, given its file's name, took it."""
        for path in self.folder.glob(f"{name}-*"):
            if self._is_whole(path) and restore(path.name):
                with contextlib.suppress(OSError):
                    os.utime(path)
                return True
        return False

    def save(self, name: str, save: Callable[[str], None]) -> None:
        """Keep what `save` writes to the file whose name it is given. Nobody sees half of it."""
        part = self.folder / f"{name}.{os.getpid()}-{threading.get_ident()}"
        try:
            save(part.name)
            part.replace(self.folder / f"{name}-{_digest(part)}")
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        self._trim()

    def close(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    def _is_whole(self, path: Path) -> bool:
        """Whether the file is there and as it was written; a damaged one is removed."""
        with contextlib.suppress(OSError):
            if path.name in self._whole:
                return path.is_file()
            if path.name.endswith(f"-{_digest(path)}"):
                self._whole.add(path.name)
                return True
            path.unlink(missing_ok=True)
        return False

    def _trim(self) -> None:
        used = []
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):  # another process took it away
                used.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(used)[:-MOST_KEPT]:
            with contextlib.suppress(OSError):  # a folder, which is somebody else's
                path.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    """Of the file's content."""
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
