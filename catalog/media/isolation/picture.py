"""Decoding a user's picture, in a process of its own (:mod:`catalog.media.isolation.reader`)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.media.isolation.reader import MOST_PIXELS, pieces, read

MOST_BYTES = 1 << 28
"""Of a picture's file; 8192 x 8192 RGB without compression take 200 MB."""

LEVELS = ("uint8", "uint16")

_PALETTE = b"\x03"  # the colour type, byte 25 of the file


def decoded(path: Path, flags: int = cv2.IMREAD_COLOR) -> NDArray[Any]:
    """The picture [H, W] or [H, W, C], colours as blue, green, red, alpha, as `cv2.imdecode` with
    these flags gives it.

    Raises BadInput: `unreadable_file` (not final), `corrupt_image`, `image_too_large`,
    `unclear_image` (levels that are neither of 8 nor of 16 bits).
    """
    found = _array(read(f"{__name__}:pixels", {"path": str(path), "flags": int(flags)}, path))
    assert found is not None
    return found


def palette_indices(path: Path) -> NDArray[np.uint8] | None:
    """The indices [H, W] that a PNG with a palette holds; None for any other picture. Raises
    BadInput as :func:`decoded`."""
    return _array(read(f"{__name__}:indices", {"path": str(path)}, path))


def pixels(path: str, flags: int) -> Iterator[Any]:
    """Shape and type of the picture's levels, then these in pieces."""
    data = _content(path)
    image = None
    if data:
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error as error:
            if "PIXELS" in str(error) or "CV_IO_MAX" in str(error):
                raise _too_large(path) from None
    if image is None:
        raise BadInput(
            "corrupt_image", f"{path}: not an image that can be read; give a PNG or JPEG"
        )
    if image.dtype.name not in LEVELS:
        raise BadInput(
            "unclear_image", f"{path}: has {image.dtype} levels; save it with 8 bits a channel"
        )
    yield from _sent(image)


def indices(path: str) -> Iterator[Any]:
    """The same of a palette's indices; nothing where the picture has none."""
    data = _content(path)
    if data.startswith(b"\x89PNG") and data[25:26] == _PALETTE:
        decoder = av.CodecContext.create("png", "r")
        assert isinstance(decoder, VideoCodecContext)
        decoder.options = {"max_pixels": str(MOST_PIXELS)}
        yield from _sent(decoder.decode(av.Packet(data))[0].to_ndarray()[0])


def _sent(image: NDArray[Any]) -> Iterator[Any]:
    yield {"shape": image.shape, "levels": image.dtype.name}
    yield from pieces(np.ascontiguousarray(image).tobytes())


def _array(found: Iterator[Any]) -> NDArray[Any] | None:
    head = next(found, None)
    if head is None:
        return None
    data = b"".join(map(base64.b64decode, found))
    return np.frombuffer(data, np.dtype(head["levels"])).reshape(head["shape"]).copy()


def _content(path: str) -> bytes:
    file = Path(path)
    try:
        if file.exists() and not file.is_file():
            raise BadInput("corrupt_image", f"{path}: no file; give a PNG or JPEG")
        if file.stat().st_size > MOST_BYTES:
            raise _too_large(path)
        return file.read_bytes()
    except OSError as error:
        raise BadInput(
            "unreadable_file", f"{path}: cannot be read ({error.strerror})", final=False
        ) from None


def _too_large(path: str) -> BadInput:
    side = int(MOST_PIXELS**0.5)
    return BadInput(
        "image_too_large",
        f"{path}: larger than {side}x{side} px or {MOST_BYTES >> 20} MiB; scale it down",
    )
