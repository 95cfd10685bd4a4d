"""Open files as c2pa's native code reads and writes them, with no Python in between.

c2pa-python's own streams call back into Python for every seek and every 8 KiB: 700 times for a
video of 1 MB, each time with the interpreter's lock, so that threads which sign wait on each other.
To c2pa's C API a stream is a context and four C functions that are called with it. POSIX' `read`,
`lseek` and `write` are such functions, with the number of an open file as the context.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import FileIO
from typing import Any


@dataclass(frozen=True, slots=True)
class NativeStream:
    """What c2pa-python's `Stream` is to its `Builder`: the holder of a `C2paStream *`."""

    _stream: Any


@contextmanager
def native_stream(file: FileIO) -> Iterator[NativeStream]:
    """The stream of an open, unbuffered file; the file must stay open meanwhile."""
    from c2pa.c2pa import StreamContext, _lib

    number = ctypes.cast(ctypes.c_void_p(file.fileno()), ctypes.POINTER(StreamContext))
    stream = _lib.c2pa_create_stream(number, *_functions())
    try:
        yield NativeStream(stream)
    finally:
        _lib.c2pa_release_stream(stream)


@cache
def _functions() -> tuple[Any, Any, Any, Any]:
    """Read, seek, write and flush; c2pa numbers the places to seek from as POSIX does."""
    from c2pa.c2pa import FlushCallback, ReadCallback, SeekCallback, WriteCallback

    libc = ctypes.CDLL(None)
    return (
        ReadCallback(("read", libc)),
        SeekCallback(("lseek", libc)),
        WriteCallback(("write", libc)),
        FlushCallback(lambda _: 0),  # nothing is buffered
    )
