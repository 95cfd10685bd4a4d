"""Writing files whole or not at all: to a temporary name beside, then renamed."""

from __future__ import annotations

import errno
import os
import platform
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from catalog.errors import EditmillError

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EFBIG: "it grew past the file size limit; raise it (ulimit -f)",
    errno.EACCES: "permission denied; choose another folder or change its permissions",
    errno.EPERM: "permission denied; choose another folder or change its permissions",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOENT: "its folder does not exist; create it",
    errno.ENOTDIR: "a part of the path is not a folder; choose another",
    errno.EEXIST: "a part of the path is not a folder; choose another",
    errno.EISDIR: "it is a folder; choose another name",
}

_ANSI = re.compile(r"\x1b\[[0-9;]*m")  # colours in the messages of Rust libraries


def unwritable(path: str | Path, error: Exception) -> EditmillError:
    """The one-line error for what could not be written, with the remedy.

    `error` is an OSError, or another library's whose text tells the system's reason.
    """
    number = getattr(error, "errno", None)
    if number not in _REMEDIES:
        number = next((n for n in _REMEDIES if os.strerror(n) in str(error)), None)
    if number is not None:
        return EditmillError(f"{path}: cannot be written: {_REMEDIES[number]}")
    what = " ".join(_ANSI.sub("", str(error)).split())
    return EditmillError(f"{path}: cannot be written ({what}); check disk and permissions")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` on success, remove it on an error.

    Raises EditmillError, naming `path` and the remedy, for any OSError within.
    """
    path = Path(path)
    temporary = path.with_name(temporary_name(".tmp"))
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically and durably; the folder is made if need be."""
    with replacing(path) as temporary:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def temporary_name(suffix: str) -> str:
    """A hidden file name nobody else uses, which tells whose it is: `.<host>~<pid>~…<suffix>`."""
    return f".{_host()}~{os.getpid()}~{uuid.uuid4().hex}{suffix}"


def sweep(folder: Path) -> None:
    """Remove the temporary files that dead processes of this machine left in `folder`."""
    for file in folder.glob(f".{_host()}~*"):
        pid = file.name.split("~")[1]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            with suppress(OSError):
                file.unlink()


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", platform.node()) or "localhost"
