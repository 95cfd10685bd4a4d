"""Local copies of a remote storage's objects, within a bound on their size.

Any number of threads and processes share a cache without speaking to each other: files come by
rename, and go, the longest unused first, when together they have grown past the bound. What was
asked for within the last minutes stays, since somebody may be about to open it, and so does what
is still to be uploaded, which is known by its second hard link.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from catalog.errors import EditmillError
from catalog.storage.files import move, sweep, temporary_name, unwritable

GIB = 2**30

LIMIT = 20 * GIB
"""Bytes a cache may hold: some tens of thousands of clips, and a small share of a disk. The
environment's EDITMILL_CACHE_GIB changes it."""

IN_USE = 600.0
"""Seconds for which a file that was asked for is not removed. It is opened within a fraction of
that, and an open file outlives its removal."""

_RECOUNT = 0.05
"""Share of the bound that a process adds before it counts all files again: others add too."""


def cache_folder() -> Path:
    """`EDITMILL_STORAGE_CACHE` if set, else `storage` in `EDITMILL_CACHE` or, where that is not set
    either, in the user's cache folder for editmill."""
    chosen = os.environ.get("EDITMILL_STORAGE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    home = os.environ.get("EDITMILL_CACHE") or platformdirs.user_cache_dir("editmill")
    return Path(home).expanduser() / "storage"


def cache_limit() -> int:
    """`EDITMILL_CACHE_GIB` in bytes if set, else :data:`LIMIT`."""
    chosen = os.environ.get("EDITMILL_CACHE_GIB")
    if not chosen:
        return LIMIT
    try:
        limit = float(chosen)
    except ValueError:
        limit = -1.0
    if not 0 < limit < float("inf"):
        raise EditmillError(f"EDITMILL_CACHE_GIB is {chosen!r}; expected a number above 0")
    return int(limit * GIB)


class Cache:
    """Files under `folder/objects/<key>`, together about `limit` bytes at most.

    The bound may be passed by what is in use, and by a twentieth for each process at work.
    """

    def __init__(self, folder: Path, limit: int, in_use: float = IN_USE) -> None:
        self.folder, self.limit, self.in_use = folder, limit, in_use
        self._objects = folder / "objects"
        self._added = float("inf")  # bytes since the last count: count at the first file
        self._made = False

    def path(self, key: str) -> Path:
        """Where the object's copy is or would be."""
        return self._objects / key

    def find(self, key: str) -> Path | None:
        """The object's copy, which then stays for some minutes; None where there is none."""
        path = self.path(key)
        try:
            _touch(path)
        except OSError:
            return None
        return path

    @property
    def scratch(self) -> Path:
        """A folder for files on their way into the cache. What dead processes left in it is swept
        when it is first asked for."""
        folder = self.folder / "scratch"
        if not self._made:
            with self._writing():
                folder.mkdir(parents=True, exist_ok=True)
            sweep(folder)
            self._made = True
        return folder

    def add(self, key: str, path: Path) -> Path:
        """Move the file at `path` into the cache."""
        final = self.path(key)
        with self._writing():
            size = path.stat().st_size
            _touch(path)
            final.parent.mkdir(parents=True, exist_ok=True)
            path.replace(final)
        self._grown(size)
        return final

    def add_pinned(self, key: str, path: Path) -> Path:
        """Move the file at `path`, which may lie on another disk, into the cache.

        Returns a second name for it, and it stays until that is removed, or this process dies.
        """
        pin, other = (self.scratch / temporary_name(path.suffix) for _ in range(2))
        with self._writing():
            move(path, pin, self.scratch)
            os.link(pin, other)
        self.add(key, other)
        return pin

    def remove(self, key: str) -> None:
        """Forget the object's copy."""
        with self._writing():
            self.path(key).unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        fault: EditmillError | None = None
        try:
            yield
        except OSError as error:
            fault = unwritable(self.folder, error)
        if fault is not None:
            raise fault

    def _grown(self, size: int) -> None:
        self._added += size
        if self._added < _RECOUNT * self.limit:
            return
        with suppress(Timeout), FileLock(self.folder / ".lock", timeout=0):  # else another does it
            self._shrink()
        self._added = 0.0

    def _shrink(self) -> None:
        """Remove the longest unused files until the rest is below the bound, and a little more, so
        that the next file does not call for another count."""
        now = time.time()
        total, idle = 0, []
        for folder, _, names in os.walk(self._objects):
            for name in names:
                path = Path(folder, name)
                with suppress(OSError):  # removed meanwhile
                    status = path.stat()
                    total += status.st_size
                    pinned = status.st_nlink > 1
                    if not pinned and now - status.st_atime > self.in_use:
                        idle.append((status.st_atime, status.st_size, path))
        if total <= self.limit:
            return
        for _, size, path in sorted(idle):
            if total <= self.limit * (1 - _RECOUNT):
                break
            with suppress(OSError):
                if time.time() - path.stat().st_atime > self.in_use:  # not asked for meanwhile
                    path.unlink()
                    total -= size


def _touch(path: Path) -> None:
    """Set the time of the last access, which most disks are mounted not to do by themselves."""
    status = path.stat()
    os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))
