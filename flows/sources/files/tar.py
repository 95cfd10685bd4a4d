"""Which files a tar holds and where, by its headers: what lies between them is not read.

The headers are parsed by Python's tarfile, which is given a file that reads a little ahead, so that
small members beside a header cost no request of their own.
"""

from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from catalog.errors import BadInput
from flows.sources.files.file import CheckStop, FileState, ReadableFile

BLOCK = tarfile.BLOCKSIZE

AHEAD = 64 << 10
"""Bytes read at once: a header and the small members around it."""

MOST_AT_ONCE = 1 << 20
"""Bytes that a header's extension (a long name, PAX records) or a sample's text may have."""

NO_FILE = "links, devices or sparse files"
OUTSIDE = "named by a path that leads out of the tar"


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in a tar: its bytes begin at `start`."""

    name: str
    start: int
    size: int


@dataclass
class TarIndex:
    """One walk over the headers of a tar, which is in `state`."""

    file: ReadableFile
    state: FileState
    check_stop: CheckStop
    left_out: Counter[str] = field(default_factory=Counter)  # by NO_FILE and OUTSIDE
    cut_short: bool = False  # ended, or was damaged, before its end: what came before is whole

    def __post_init__(self) -> None:
        self._reader = _Reader(self.file, self.state, self.check_stop)

    def members(self) -> Iterator[Member]:
        """Every regular file that is whole, in the tar's order.

        Raises BadInput where it is no tar, or cannot be read.
        """
        try:
            # As a plain tar: who decompresses what others packed can be made to fill the disk.
            tar = tarfile.TarFile(fileobj=self._reader)  # type: ignore[arg-type]
        except tarfile.TarError:
            raise BadInput(
                "no_tar", f"{self.file.uri}: no tar, or a compressed one; pack it as a plain tar"
            ) from None
        before = -1
        for member in self._walk(tar):
            end = member.offset_data + member.size
            if member.offset <= before or member.size < 0 or end > self.state.size:
                self.cut_short = True
                return
            before = member.offset
            if not member.isreg() or member.issparse():
                self.left_out[NO_FILE] += not member.isdir()
            elif member.name.startswith("/") or ".." in member.name.split("/"):
                self.left_out[OUTSIDE] += 1
            else:
                yield Member(member.name, member.offset_data, member.size)
        self.left_out = +self.left_out

    def text(self, member: Member) -> str:
        """A small member as text; empty where it is larger than MOST_AT_ONCE."""
        if member.size > MOST_AT_ONCE:
            return ""
        back = self._reader.tell()
        self._reader.seek(member.start)
        data = self._reader.read(member.size)
        self._reader.seek(back)
        return data.decode("utf-8", errors="replace")

    def _walk(self, tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        try:
            while (member := tar.next()) is not None:
                yield member
                tar.members = []  # type: ignore[attr-defined]  # it would keep them all
            # At a damaged header it stops as at the end, which is two blocks of zeros.
            self._reader.seek(tar.offset)
            end = self._reader.read(BLOCK)
            self.cut_short = len(end) < BLOCK or any(end)
        except (tarfile.TarError, ValueError, OverflowError, RecursionError):
            self.cut_short = True


class _Reader:
    """The file, as tarfile reads one."""

    def __init__(self, file: ReadableFile, state: FileState, check_stop: CheckStop) -> None:
        self._file, self._state, self._check_stop = file, state, check_stop
        self._at = 0
        self._begin, self._data = 0, b""  # what was read last

    def tell(self) -> int:
        return self._at

    def seek(self, to: int) -> int:
        self._at = to
        return to

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MOST_AT_ONCE or self._at < 0:
            raise tarfile.ReadError("a header that cannot be")
        start = self._at - self._begin
        if start < 0 or start + size > len(self._data):
            self._begin, start = self._at, 0
            wanted = min(max(size, AHEAD), max(0, self._state.size - self._at))
            pieces = self._file.pieces(self._state, self._at, wanted, self._check_stop)
            self._data = b"".join(pieces) if wanted else b""
        found = self._data[start : start + size]
        self._at += len(found)
        return found
