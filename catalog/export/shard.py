"""A tar of media and texts, as WebDataset reads it."""

from __future__ import annotations

import io
import os
import tarfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from catalog.export.files import Media, Original
from catalog.storage.files import begin_writing, beside, replacing

COPIED_AT_ONCE = 1 << 20
"""Bytes; with the 16 KiB of tarfile itself a video is a hundred Python calls."""

AHEAD = 12
"""Members made before the tar has come to them: some four pairs, with a signed video each."""

THREADS = 2
"""That make members of one shard; several shards are written at once."""

Member = Original | tuple[str, bytes]
"""A medium, whose `path` is its name in the tar, or a text by name."""


@dataclass(frozen=True, slots=True)
class Tar:
    """A tar; the same members give the same bytes, but for signatures."""

    path: str
    members: Sequence[Member]
    what: str = "shard"

    def write(self, final: Path, media: Media) -> None:
        """One thread writes the tar; meanwhile others sign the videos that come next."""
        with (
            replacing(final) as temporary,
            ThreadPoolExecutor(THREADS, thread_name_prefix="shard") as pool,
            temporary.open("wb") as file,
            tarfile.TarFile(
                fileobj=file, mode="w", format=tarfile.USTAR_FORMAT, copybufsize=COPIED_AT_ONCE
            ) as tar,
        ):
            for entry, content in self._entries(final, media, pool):
                with content:
                    tar.addfile(entry, content)
                begin_writing(file.fileno())

    def _entries(
        self, final: Path, media: Media, pool: ThreadPoolExecutor
    ) -> Iterator[tuple[tarfile.TarInfo, BinaryIO]]:
        coming: deque[Future[tuple[tarfile.TarInfo, BinaryIO]]] = deque()
        for member in self.members:
            coming.append(pool.submit(_entry, member, final, media))
            if len(coming) > AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def _entry(member: Member, final: Path, media: Media) -> tuple[tarfile.TarInfo, BinaryIO]:
    """A member's head and its content, open for reading."""
    if isinstance(member, tuple):
        name, text = member
        return _info(name, len(text)), io.BytesIO(text)
    path = media.find(member.ref)
    if member.signed_for:
        with beside(final) as signed:
            media.signs.sign(path, signed, member.signed_for)
            content = signed.open("rb")  # and its name goes: it takes no room once it is closed
    else:
        content = path.open("rb")
        if hasattr(os, "posix_fadvise"):  # read it from the disk while others are written
            os.posix_fadvise(content.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
    return _info(member.path, os.fstat(content.fileno()).st_size), content


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)  # time 0, nobody's
    info.size = size
    return info
