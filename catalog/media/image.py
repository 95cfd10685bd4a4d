"""Single pictures: reading a user's image, a PNG, a JPEG."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput, EditmillError
from catalog.media.isolation.picture import decoded
from catalog.storage.files import write_bytes

Picture = NDArray[np.uint8]
"""RGB, [H, W, 3]."""

Transparent = NDArray[np.uint8]
"""RGB and opacity, [H, W, 4]; 255 is opaque."""


def read_image(path: Path) -> Picture:
    """An image as RGB [H, W, 3], decoded in a process of its own. Raises EditmillError where it
    cannot be read."""
    return np.ascontiguousarray(decoded(path)[..., ::-1])


def write_png(path: Path, picture: Picture) -> None:
    """Writes RGB [H, W, 3] losslessly; the same picture gives the same bytes.

    Raises EditmillError where `path` is not named `.png` or cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise EditmillError(f"{path}: the picture is a PNG; name it *.png")
    _write_png(path, picture[..., ::-1])


def read_transparent(path: Path) -> Transparent:
    """What :func:`write_transparent` has written, decoded in a process of its own. Raises BadInput
    (`unreadable_file`, not final) where it is missing or damaged."""
    try:
        found = decoded(path, cv2.IMREAD_UNCHANGED)
    except BadInput:
        found = np.empty(0)
    if found.ndim != 3 or found.shape[2] != 4 or found.dtype != np.uint8:
        raise BadInput(
            "unreadable_file",
            f"{path}: is missing or no PNG with transparency; restore the file",
            final=False,
        )
    return np.ascontiguousarray(found[..., [2, 1, 0, 3]])


def write_transparent(path: Path, picture: Transparent) -> None:
    """Writes RGBA [H, W, 4] as a PNG; the same picture gives the same bytes."""
    _write_png(path, picture[..., [2, 1, 0, 3]])


def _write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    encoded, data = cv2.imencode(".png", np.ascontiguousarray(picture))
    assert encoded
    write_bytes(path, data.tobytes())


def jpeg(picture: Picture, quality: int = 80) -> bytes:
    """RGB [H, W, 3] as a JPEG, `quality` 1–100: small enough to lie within a page."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    encoded, data = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), options)
    assert encoded
    return data.tobytes()
