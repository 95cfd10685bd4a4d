"""Uploads that go on beside the computation."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from threading import BoundedSemaphore, Lock

THREADS = 8
"""Uploads at once. One of a small file takes some 15 ms, nearly all of it waiting: one by one, 70
files of 300 kB a second went to a lakeFS on the same two cores, and 170 in eight threads."""

WAITING = 256
"""Files that may wait for an upload. A computation that is faster than the line then waits too, and
does not fill the disk."""


class Uploads:
    """Files on their way. `send` stores one of them, and raises where it cannot."""

    def __init__(
        self, send: Callable[[str, Path], None], threads: int = THREADS, waiting: int = WAITING
    ) -> None:
        self._send = send
        self._pool = ThreadPoolExecutor(threads, "upload")
        self._room = BoundedSemaphore(waiting)
        self._lock = Lock()
        self._under_way: dict[str, tuple[Path, Future[None]]] = {}
        self._failed: dict[str, tuple[Path, BaseException]] = {}

    def __contains__(self, key: str) -> bool:
        """Whether a file of that key is not stored yet."""
        return key in self._under_way or key in self._failed

    def path(self, key: str) -> Path | None:
        """The file that is to be stored under `key`, if it is not yet."""
        with self._lock:
            found = self._under_way.get(key) or self._failed.get(key)
        return found[0] if found else None

    def add(self, key: str, path: Path) -> None:
        """Store the file soon and remove `path` then. Waits while too many files wait already."""
        self._room.acquire()
        with self._lock:
            if key not in self:
                self._start(key, path)
                return
        self._room.release()
        path.unlink()

    def flush(self) -> None:
        """Wait until all that were added before are stored. What failed is tried once more; raises
        what the first one then fails with, and keeps the files for the next flush."""
        with self._lock:
            failed = list(self._failed)
        for key in failed:
            self._room.acquire()
            with self._lock:
                if key in self._failed:
                    self._start(key, self._failed.pop(key)[0])
                    continue
            self._room.release()
        with self._lock:  # not those that others add meanwhile, who may never stop
            futures = [future for _, future in self._under_way.values()]
        wait(futures)
        self.check()

    def check(self) -> None:
        """Raise what the first upload failed with, if one did."""
        with self._lock:
            first = next(iter(self._failed.values()), None)
        if first is not None:
            raise first[1]

    def _start(self, key: str, path: Path) -> None:
        """With the lock held, so that the upload is entered before it can end."""
        self._under_way[key] = (path, self._pool.submit(self._upload, key, path))

    def _upload(self, key: str, path: Path) -> None:
        failure: BaseException | None = None
        try:
            self._send(key, path)
        except BaseException as error:  # a library's panic too: flush waits for every upload
            failure = error
        with self._lock:
            del self._under_way[key]
            if failure is not None:
                self._failed[key] = (path, failure)
        self._room.release()
        if failure is None:
            with suppress(OSError):
                path.unlink()
