"""A file on a disk of this machine."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import BadInput
from flows.sources.files.file import CheckStop, FileState, changed

PIECE = 1 << 20
"""Bytes read at once."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """The file at a path; links are followed."""

    path: Path

    @property
    def uri(self) -> str:
        return str(self.path)

    def state(self, check_stop: CheckStop) -> FileState:
        try:
            return _state(self.path.stat(), self.uri)
        except OSError as error:
            raise _unreadable(self.uri, error) from None

    def pieces(
        self, state: FileState, start: int, size: int, check_stop: CheckStop
    ) -> Iterator[bytes]:
        check_stop()
        try:
            with self.path.open("rb") as file:
                self._refuse_other(state, file.fileno())
                file.seek(start)
                while size > 0 and (piece := file.read(min(PIECE, size))):
                    size -= len(piece)
                    yield piece
                    check_stop()
                self._refuse_other(state, file.fileno())
        except OSError as error:
            raise _unreadable(self.uri, error) from None

    def _refuse_other(self, state: FileState, descriptor: int) -> None:
        if _state(os.fstat(descriptor), self.uri) != state:
            raise changed(self.uri)


def _state(status: os.stat_result, uri: str) -> FileState:
    if not modes.S_ISREG(status.st_mode):
        raise BadInput("unreadable_file", f"{uri}: a folder, device or pipe; name a file")
    return FileState(status.st_size, str(status.st_mtime_ns))


def _unreadable(uri: str, error: OSError) -> BadInput:
    return BadInput(
        "unreadable_file",
        f"{uri}: cannot be read ({error.strerror}); name a readable file",
        final=isinstance(error, FileNotFoundError | NotADirectoryError),
    )
