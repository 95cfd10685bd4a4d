"""Making an export's files, several at once, skipping those that are there.

Every file appears under its name only when it is whole, so what is there is done: an export that
was interrupted goes on where it was, and ends with the same files.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Semaphore

from catalog.export.files import Encoded, ExportFile, Media, Original
from catalog.export.shard import Tar
from catalog.storage.files import begin_writing, sweep, unwritable

PER_CORE = 4
"""Files made at once per core: copies wait for the disk most of their time
(infra/bench/results/export.md)."""

AHEAD = 8
"""Files per worker that are in hand at most: an export of a million pairs makes no list of them."""


@dataclass(slots=True)
class Placed:
    """What became of the files: how many of each kind the export has, how many videos with content
    credentials, how many files were made now, and how many of these were hard links."""

    kinds: Counter[str] = field(default_factory=Counter)
    signed: int = 0
    made: int = 0
    linked: int = 0
    bytes: int = 0  # of all of them

    def add(self, other: Placed) -> None:
        """Count the files of `other` too."""
        self.kinds += other.kinds
        self.signed += other.signed
        self.made += other.made
        self.linked += other.linked
        self.bytes += other.bytes


def place(files: Iterable[ExportFile], out: Path, media: Media, link: bool) -> Placed:
    """Make the files below `out`. With `link` a medium that is taken as it is becomes a hard link
    to the catalog's file, or a copy where the file system has none; one that is signed is no link.

    Raises EditmillError, in one line, at the first file that cannot be made.
    """
    placed = Placed()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    workers = (cores or 1) * PER_CORE
    computed = Semaphore(cores or 1)
    with ThreadPoolExecutor(workers, thread_name_prefix="export") as pool:
        pending: set[Future[tuple[str, bool, bool, int]]] = set()
        try:
            for file in files:
                if len(pending) >= workers * AHEAD:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    _count(placed, done)
                placed.signed += _signed(file)
                pending.add(pool.submit(_make, file, out, media, link, computed))
            _count(placed, wait(pending).done)
        finally:
            pool.shutdown(cancel_futures=True)
    return placed


def sweep_all(out: Path) -> None:
    """Remove the half-written files that killed exports left in `out`."""
    for folder, _, _ in os.walk(out):
        sweep(Path(folder))


def _signed(file: ExportFile | tuple[str, bytes]) -> int:
    """How many videos with content credentials the file is or holds."""
    if isinstance(file, Tar):
        return sum(map(_signed, file.members))
    return int(isinstance(file, Original | Encoded) and bool(file.signed_for))


def _count(placed: Placed, done: Iterable[Future[tuple[str, bool, bool, int]]]) -> None:
    for future in done:
        kind, made, linked, size = future.result()
        placed.kinds[kind] += 1
        placed.made += made
        placed.linked += linked
        placed.bytes += size


def _make(
    file: ExportFile, out: Path, media: Media, link: bool, computed: Semaphore
) -> tuple[str, bool, bool, int]:
    """Kind, whether it was made now, whether as a link, and its size in bytes. `computed` bounds
    the files in hand that are no copies: an encoded one holds frames, a shard has threads."""
    final = out / file.path
    if (size := _size(final)) is not None:
        return file.what, False, False, size
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(final.parent, error) from None
    linked = (
        link
        and isinstance(file, Original)
        and not file.signed_for
        and _link(media.find(file.ref), final)
    )
    if not linked:
        with nullcontext() if isinstance(file, Original) else computed:
            file.write(final, media)
        with final.open("rb") as made:
            begin_writing(made.fileno())
    return file.what, True, linked, final.stat().st_size


def _link(path: Path, final: Path) -> bool:
    with suppress(OSError):  # another file system, one without links, or too many links
        final.hardlink_to(path)
        return True
    return False


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
