"""Writing files whole or not at all: to a temporary name beside, then renamed."""

from __future__ import annotations

import ctypes
import errno
import functools
import hashlib
import os
import platform
import re
import shutil
import stat
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

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

SYNC_FILE_RANGE_WRITE = 2
"""Of Linux' `sync_file_range`: begin to write what is changed."""

COPIED_AT_ONCE = 1 << 20
"""Bytes in memory, where the kernel does not copy."""

ABANDONED = 7 * 24 * 3600.0
"""Seconds after which an untouched temporary file of an unknown writer is nobody's: a record takes
minutes, and a clock that is off by a day must not matter."""

_TEMPORARY = re.compile(
    r"\.(?P<place>[^~]+)~(?P<pid>[1-9][0-9]{0,8})~(?:(?P<started>[0-9]*)~)?[^~]+"
)

_ANSI = re.compile(r"\x1b\[[0-9;]*m")  # colours in the messages of Rust libraries


def unwritable(path: str | Path, error: Exception) -> EditmillError:
    """The one-line error for what could not be written, with the remedy.

    `error` is an OSError, or another library's whose text tells the system's reason.
    """
    number = getattr(error, "errno", None)
    if number == errno.ENOENT and Path(path).parent.is_dir():  # as in /proc
        return EditmillError(
            f"{path}: cannot be written: its folder takes no files; choose another"
        )
    if number not in _REMEDIES:
        number = next((n for n in _REMEDIES if os.strerror(n) in str(error)), None)
    if number is not None:
        return EditmillError(f"{path}: cannot be written: {_REMEDIES[number]}")
    what = " ".join(_ANSI.sub("", str(error)).split())
    return EditmillError(f"{path}: cannot be written ({what}); check disk and permissions")


def temporary_unwritable(why: object, variable: str) -> EditmillError:
    """The error for temporary files that cannot be written, and why; the environment's `variable`
    names their folder."""
    return EditmillError(
        f"temporary files: cannot be written ({why}); free space there, or name another folder in "
        f"{variable}"
    )


def check_writable(path: Path) -> None:
    """Raises EditmillError, with the remedy, where a file could not be written there."""
    if path.is_dir():
        raise unwritable(path, IsADirectoryError(errno.EISDIR, ""))
    _refuse_special(path)
    with beside(path) as temporary:
        try:
            temporary.touch()
        except OSError as error:
            raise unwritable(path, error) from None


def make_writable(path: Path) -> None:
    """Make the file's folder if absent. Raises EditmillError where it cannot be made, and as
    :func:`check_writable`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path.parent, error) from None
    check_writable(path)


def _refuse_special(path: Path) -> None:
    """A device or a pipe would be gone from the system: a file takes its place, and who is root may
    do that to /dev/null."""
    with suppress(OSError):
        if not stat.S_ISREG(mode := path.stat().st_mode) and not stat.S_ISDIR(mode):
            raise EditmillError(f"{path}: is a device or a pipe; name a file")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` on success, remove it on an error.

    Raises EditmillError, naming `path` and the remedy, for any OSError within, and where there is
    something else than a file.
    """
    path = Path(path)
    _refuse_special(path)
    temporary = path.with_name(temporary_name(".tmp"))
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def beside(path: str | Path) -> Iterator[Path]:
    """Give the path of a temporary file beside `path`, which is removed at the end."""
    temporary = Path(path).with_name(temporary_name(".tmp"))
    try:
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically and durably; the folder is made if need be."""
    with replacing(path) as temporary:
        write_durably(temporary, data)


def write_durably(path: Path, data: bytes) -> None:
    """Write `data` to `path`, and wait until the disk has it; the folder is made if need be.
    Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def move(path: Path, final: Path, scratch: Path) -> None:
    """Rename the file, and where it lies on another disk than `scratch` and `final`, copy it to
    `scratch` first, so that it is at `final` whole or not at all. Raises OSError."""
    try:
        path.replace(final)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copied = scratch / temporary_name(path.suffix)
        try:
            shutil.copyfile(path, copied)
            with copied.open("rb") as file:
                os.fsync(file.fileno())
            copied.replace(final)
        finally:
            copied.unlink(missing_ok=True)
        path.unlink()


def copy_file(path: Path, copied: Path) -> None:
    """Copy the file's content as :func:`copy_range` does. Raises OSError."""
    with path.open("rb") as source, copied.open("wb") as target:
        copy_range(source, target, os.fstat(source.fileno()).st_size)


def copy_range(source: BinaryIO, target: BinaryIO, end: int) -> None:
    """Copy the bytes from where `source` stands up to its byte `end` to where `target` stands.

    The kernel copies where it can: meanwhile other threads have the interpreter, and a file system
    that shares blocks between files (btrfs, XFS) copies nothing. Raises OSError.
    """
    if hasattr(os, "copy_file_range"):  # Linux
        with suppress(OSError):  # not between these file systems, or no files; else it comes again
            target.flush()
            start, place = source.tell(), target.tell()
            while start < end and (
                copied := os.copy_file_range(
                    source.fileno(), target.fileno(), end - start, start, place
                )
            ):
                start, place = start + copied, place + copied
                source.seek(start)
                target.seek(place)
    while data := source.read(min(COPIED_AT_ONCE, end - source.tell())):
        target.write(data)


def begin_writing(file: int) -> None:
    """Have the system begin to write this open file to the disk, and go on meanwhile. By itself it
    waits until much has come together, and then whoever wants it written waits for all of that. The
    file stays in memory for its readers. Only Linux can; elsewhere nothing is done."""
    if sys.platform == "linux":
        _libc().sync_file_range(
            file, ctypes.c_int64(0), ctypes.c_int64(0), SYNC_FILE_RANGE_WRITE
        )  # all of it; an error will be seen by whoever waits for it


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def temporary_name(suffix: str) -> str:
    """A hidden file name nobody else uses, which tells whose it is:
    `.<place>~<pid>~<start of the process>~…<suffix>`."""
    pid = os.getpid()
    return f".{_place()}~{pid}~{_own_start(pid)}~{uuid.uuid4().hex}{suffix}"


def sweep(folder: Path) -> None:
    """Remove the temporary files in `folder` whose writers are surely dead.

    A writer of this place is dead if no process has its id and its start. Of one elsewhere nothing
    is known here, nor of one from before a reboot: its file goes once it lay untouched for
    ABANDONED seconds.
    """
    for file in folder.glob(".*~*~*"):
        found = _TEMPORARY.fullmatch(file.name)
        if found is None:
            continue
        with suppress(OSError):
            if found["place"] == _place():
                dead = _is_dead(int(found["pid"]), found["started"])
            else:
                dead = time.time() - file.stat().st_mtime > ABANDONED
            if dead:
                file.unlink()


@functools.cache
def _place() -> str:
    """Where process ids mean what they mean here: this boot of this machine, and this container.

    Host names will not do: containers share them, across machines too, and so do ids.
    """
    parts = [platform.node()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:  # no Linux: then the second in which it was started
        parts += [str(uuid.getnode()), str(round(psutil.boot_time()))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _is_dead(pid: int, started: str) -> bool:
    try:
        os.kill(pid, 0)  # sends nothing
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # another user's: it is there
        pass
    now = _started(pid)
    return bool(now and started) and now != started  # else the id is a later process's


@functools.cache
def _own_start(pid: int) -> str:
    """When this process was started; a child that was forked asks with its own id."""
    return _started(pid)


def _started(pid: int) -> str:
    """When the process was started, in ticks since the boot, which no clock moves; empty where that
    cannot be told."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        return status.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
