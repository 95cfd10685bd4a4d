"""Taking single members out of the archives that registries send, whatever else is in them."""

from __future__ import annotations

import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from experts.weights.registry import RegistryError, RemoteFile

UNPACKED, UNPACKED_SLACK = 50, 64 << 20
"""How many times its size, and bytes besides, a tarball may unpack to. Code unpacks to four to ten
times, a bomb to a thousand."""

Take = Callable[[str, IO[bytes]], None]
"""Called with a member's path and its content."""

UNREADABLE = (
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError),
    *(EOFError, struct.error, ValueError, RuntimeError),  # RuntimeError: encrypted, or a method
)
"""What the archive readers raise for broken archives."""


def extract(archive: Path | RemoteFile, kind: str, paths: set[str], take: Take) -> set[str]:
    """Hand each asked-for member that the archive holds to `take`, and say which those were.

    Members are found by their whole name, and nothing is written here: what an archive says of
    places and links is never followed. Raises RegistryError if the archive cannot be read, if a
    member asked for is no plain file, or if a tarball unpacks to what no honest one does.
    """
    found = set()
    try:
        if kind == "wheel":
            with zipfile.ZipFile(archive) as wheel:
                for path in sorted(paths & set(wheel.namelist())):
                    with wheel.open(path) as stream:
                        take(path, stream)
                    found.add(path)
        else:
            assert isinstance(archive, Path)
            most = UNPACKED * archive.stat().st_size + UNPACKED_SLACK
            with (
                gzip.open(archive) as unpacked,
                tarfile.open(fileobj=cast(IO[bytes], _Meter(unpacked, most)), mode="r|") as tape,
            ):
                for item in tape:
                    if item.name not in paths - found:
                        continue
                    content = tape.extractfile(item) if item.isreg() else None
                    if content is None:
                        raise RegistryError(f"its {item.name} is no plain file")
                    take(item.name, content)
                    found.add(item.name)
    except UNREADABLE as error:
        raise RegistryError(f"its archive cannot be read ({error})") from error
    return found


class _Meter:
    """Reads on until more than `most` bytes were read."""

    def __init__(self, file: gzip.GzipFile, most: int) -> None:
        self._file, self._left = file, most

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise RegistryError("its archive unpacks to more than it can hold")
        return block
