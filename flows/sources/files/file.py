"""What a file is asked for wherever it lies, and the address of a video that is a part of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from catalog.errors import BadInput, EditmillError
from catalog.storage.files import replacing
from flows.sources.http import MOST_BYTES, host_of

CheckStop = Callable[[], None]
"""Raises once the build shall stop."""


class Unreachable(EditmillError):
    """A service that cannot be reached now, or is busy."""


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it is now. Another content has another state."""

    size: int  # bytes
    version: str  # its ETag or, on a disk, when it was changed


class ReadableFile(Protocol):
    """A file that is only read. Immutable, small and picklable."""

    @property
    def uri(self) -> str:
        """Where it lies, for messages; without what a secret may be in."""
        ...

    def state(self, check_stop: CheckStop) -> FileState:
        """As it is now. Raises BadInput: final where there is no such file."""
        ...

    def pieces(
        self, state: FileState, start: int, size: int, check_stop: CheckStop
    ) -> Iterator[bytes]:
        """`size` bytes from `start` on, or what there is of them, a few megabytes at a time;
        `check_stop` is called before each.

        Raises BadInput: `changed_file`, which may pass, where it is no longer in that state.
        """
        ...


def changed(uri: str) -> BadInput:
    """A file was listed in one state and is in another now. The next build lists it anew."""
    return BadInput(
        "changed_file", f"{uri}: has changed since it was listed; build again", final=False
    )


def cut_short(uri: str, got: int, size: int) -> BadInput:
    return BadInput(
        "cut_short", f"{uri}: ended after {got} of {size} bytes; build again", final=False
    )


@dataclass(frozen=True, slots=True)
class FileRange:
    """The address of a video that is a file, or a part of one: `size` bytes from `start` on."""

    file: ReadableFile
    state: FileState
    start: int
    size: int
    most_bytes: int = MOST_BYTES

    @classmethod
    def whole(cls, file: ReadableFile, state: FileState, most_bytes: int = MOST_BYTES) -> FileRange:
        return cls(file, state, 0, state.size, most_bytes)

    @property
    def host(self) -> str:
        return host_of(self.file.uri) if self.file.uri.startswith(("http://", "https://")) else ""

    def download(self, to: Path, check_stop: CheckStop) -> None:
        """See :class:`flows.sources.source.Address`."""
        if not self.size:
            raise BadInput("empty_file", f"{self.file.uri}: the video has no bytes; replace it")
        refuse_too_large(self.file.uri, self.size, self.most_bytes)
        got = 0
        with replacing(to) as draft, draft.open("wb") as written:
            for piece in self.file.pieces(self.state, self.start, self.size, check_stop):
                got += written.write(piece)
            if got != self.size:
                raise cut_short(self.file.uri, got, self.size)


def refuse_too_large(uri: str, size: int, most_bytes: int) -> None:
    """Raise BadInput (`too_large`) for a video of more than `most_bytes`."""
    if size > most_bytes:
        raise BadInput(
            "too_large",
            f"{uri}: has {size:,} bytes, more than the {most_bytes:,} that are allowed; cut it",
        )
