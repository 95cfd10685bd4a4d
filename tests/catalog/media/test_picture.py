"""A user's pictures: decoded as OpenCV does, bounded, and refused in one line."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from catalog.errors import BadInput
from catalog.media.image import read_image, read_transparent, write_png, write_transparent
from catalog.media.isolation import picture
from catalog.media.isolation.picture import decoded, palette_indices


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes, colour: int = 2, *more: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    parts = (chunk(b"IHDR", head), *more, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_picture_is_what_it_was(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    shown = random.integers(0, 256, (1500, 2100, 3), np.uint8)  # larger than one piece
    write_png(tmp_path / "a.png", shown)
    assert np.array_equal(read_image(tmp_path / "a.png"), shown)
    deep = random.integers(0, 65536, (20, 30, 4), np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    assert np.array_equal(decoded(tmp_path / "deep.png", cv2.IMREAD_UNCHANGED), deep)
    (tmp_path / "p.png").write_bytes(
        png(2, 2, b"\0\1\0\0\0\1", 3, chunk(b"PLTE", b"\0\0\0\xff\0\0"))
    )
    indices = palette_indices(tmp_path / "p.png")
    assert indices is not None and indices.tolist() == [[1, 0], [0, 1]]
    assert palette_indices(tmp_path / "a.png") is None


def test_what_is_transparent_stays_so(tmp_path: Path) -> None:
    shown = np.random.default_rng(1).integers(0, 256, (40, 60, 4), np.uint8)
    write_transparent(tmp_path / "a.png", shown)
    assert np.array_equal(read_transparent(tmp_path / "a.png"), shown)
    write_png(tmp_path / "b.png", shown[..., :3])
    (tmp_path / "c.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    for name in ("b", "c", "missing"):
        with pytest.raises(BadInput, match="no PNG with transparency; restore the file") as told:
            read_transparent(tmp_path / f"{name}.png")
        assert not told.value.final


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png(100_000, 100_000, bytes(1 << 20)), "image_too_large"),  # 30 GB, were it decoded
        (png(8192, 8193, bytes(1 << 20)), "image_too_large"),
        (png(2**31 - 1, 2**31 - 1, b""), "corrupt_image"),
        (png(64, 64, b"")[:40], "corrupt_image"),
        (b"", "corrupt_image"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "corrupt_image"),
    ],
)
def test_a_hostile_picture_is_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(BadInput) as error:
        read_image(path)
    assert error.value.reason == reason and str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.truncate(picture.MOST_BYTES + 1)
    with pytest.raises(BadInput, match="larger than 8192x8192 px or 256 MiB; scale it down"):
        read_image(path)
    with pytest.raises(BadInput, match=r"cannot be read .No such file"):
        read_image(tmp_path / "none.png")


def test_mutated_pictures_are_read_or_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    path = tmp_path / "a"
    for suffix in (".png", ".jpg", ".tiff", ".webp", ".bmp"):
        _, good = cv2.imencode(suffix, random.integers(0, 256, (24, 32, 3), np.uint8))
        for _ in range(12):
            bad = good.copy().ravel()
            at = random.integers(0, len(bad), 6)
            bad[at] = random.integers(0, 256, 6)
            path.write_bytes(bad.tobytes())
            try:
                assert read_image(path).ndim == 3
            except BadInput as error:
                assert error.reason in ("corrupt_image", "image_too_large")
