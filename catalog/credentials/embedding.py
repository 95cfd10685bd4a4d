"""The part of c2pa's C API that signs a file in place, which c2pa-python has no methods for.

`Builder.sign` copies a file in pieces of 8 KiB and reads it twice, and each piece and each seek is
a call back into Python, with the interpreter's lock: 700 for a video of 1 MB, while other threads
wait. Here c2pa makes an empty box first, the caller writes the file with it inside, c2pa reads that
once for its hash, and makes the signed box, which has the length of the empty one. It takes half
the core's time (infra/bench/results/export.md).

To the C API a stream is a context and four functions that are called with it. POSIX' `read`,
`lseek` and `write` are such functions, with the number of an open file as the context, so that a
file is read without Python.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any, BinaryIO


def placeholder(builder: Any, media_type: str) -> bytes:
    """An empty box, as long as the signed one will be."""
    return _bytes(_library().c2pa_builder_placeholder, builder, media_type)


def add_hash(builder: Any, media_type: str, file: BinaryIO) -> None:
    """Have the file hashed, which has the empty box inside; move its place to anywhere."""
    from c2pa.c2pa import StreamContext, _check_ffi_operation_result

    library = _library()
    number = ctypes.cast(ctypes.c_void_p(file.fileno()), ctypes.POINTER(StreamContext))
    file.seek(0)  # and what was buffered is written
    stream = library.c2pa_create_stream(number, *_functions())
    try:
        result = library.c2pa_builder_update_hash_from_stream(
            builder._handle, media_type.encode(), stream
        )
        _check_ffi_operation_result(result, "cannot be hashed", check=_failed)
    finally:
        library.c2pa_release_stream(stream)


def signed_box(builder: Any, media_type: str) -> bytes:
    """The box that takes the empty one's place; the builder's context signs."""
    return _bytes(_library().c2pa_builder_sign_embeddable, builder, media_type)


def _bytes(function: Callable[..., int], builder: Any, media_type: str) -> bytes:
    from c2pa.c2pa import _check_ffi_operation_result

    pointer = ctypes.POINTER(ctypes.c_ubyte)()
    size = function(builder._handle, media_type.encode(), ctypes.byref(pointer))
    _check_ffi_operation_result(size, "no box was made", check=_failed)
    try:
        return ctypes.string_at(pointer, size)
    finally:
        _library().c2pa_free(pointer)


def _failed(result: int) -> bool:
    return result < 0


@cache
def _library() -> Any:
    """c2pa's native code, with the types of these functions (its header c2pa.h)."""
    from c2pa.c2pa import C2paBuilder, C2paStream, _lib

    builder, text = ctypes.POINTER(C2paBuilder), ctypes.c_char_p
    made = ctypes.POINTER(ctypes.POINTER(ctypes.c_ubyte))
    for function in (_lib.c2pa_builder_placeholder, _lib.c2pa_builder_sign_embeddable):
        function.argtypes, function.restype = [builder, text, made], ctypes.c_int64
    hashes = _lib.c2pa_builder_update_hash_from_stream
    hashes.argtypes, hashes.restype = [builder, text, ctypes.POINTER(C2paStream)], ctypes.c_int
    return _lib


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
