"""Errors a user meets: one line that names the thing, what is wrong and the remedy."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import Any


def one_line(text: str) -> str:
    """`text` as one line that any terminal, table and log can hold.

    Line breaks and runs of blanks become one blank; control characters, and bytes of a file name
    that are no UTF-8, become escapes (`\\xe9`).
    """
    return visible(" ".join(text.split()))


def visible(text: str, keep: str = "") -> str:
    """`text` with escapes (`\\x1b`, `\\u202e`) for what would steer a terminal or turn the reading
    direction, and for line breaks: all that is not printable and not in `keep`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def printable(path: PurePath) -> str:
    """The path as text that tables and JSON can hold: bytes that are no UTF-8 become `\\xe9`.

    Whatever else its name has in it, line breaks for instance, stays.
    """
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _escaped(character: str) -> str:
    byte = ord(character) - 0xDC00  # how Python smuggles a byte that is no UTF-8 through a str
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else repr(character)[1:-1]


class EditmillError(Exception):
    """The build or command cannot go on; the message is shown as it stands, without a traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class BadInput(EditmillError):
    """One record is unusable; it becomes a row in `failures` and the shard goes on.

    `reason` is a short machine word (`corrupt_video`, `no_frames`, `too_small` …). `final` says
    that the fault lies in the record itself. Where it may pass (a network disk's hiccup, a file
    that is locked today) it is False, and the next build tries again.
    """

    def __init__(self, reason: str, message: str, *, final: bool = True) -> None:
        super().__init__(message)
        self.reason = reason
        self.final = final

    def __reduce__(self) -> tuple[Any, ...]:  # one may come from a worker in another process
        return type(self), (self.reason, str(self)), {"final": self.final}
