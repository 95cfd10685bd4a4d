"""Making room in an MP4: pictures are found where they went; unknown layouts are refused."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import numpy as np
import pytest

from catalog.credentials.boxes import NotAnMp4, insert
from catalog.credentials.identity import SigningIdentity
from catalog.credentials.signing import signed_copy
from catalog.media import read_video
from tests.catalog.credentials.conftest import document_of
from tests.editmill.small_catalog import bar

BOX = (20).to_bytes(4) + b"free" + b"x" * 12


def video(flags: str = "") -> bytes:
    """A video of our frames, laid out as FFmpeg's `movflags` say."""
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        with av.open(file.name, "w", options={"movflags": flags} if flags else {}) as container:
            stream = container.add_stream("mpeg4", rate=24)
            stream.height, stream.width = bar().shape[1:3]
            for frame in bar():
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
            container.mux(stream.encode())
        return Path(file.name).read_bytes()


def with_long_offsets(content: bytes) -> bytes:
    """The file with `co64` for `stco`, behind its media as FFmpeg leaves `moov` by itself."""
    moov = bytearray(content[content.index(b"moov") - 4 :])
    at = moov.index(b"stco") - 4
    count = int.from_bytes(moov[at + 12 : at + 16])
    short = np.frombuffer(bytes(moov[at + 16 : at + 16 + 4 * count]), ">u4")
    table = (16 + 8 * count).to_bytes(4) + b"co64" + moov[at + 8 : at + 16]
    moov[at : at + 16 + 4 * count] = table + short.astype(">u8").tobytes()
    for box in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        start = moov.index(box) - 4
        length = int.from_bytes(moov[start : start + 4]) + 4 * count
        moov[start : start + 4] = length.to_bytes(4)
    return content[: content.index(b"moov") - 4] + bytes(moov)


def with_long_length(content: bytes) -> bytes:
    """The file whose `mdat` has its length in 8 bytes, in the room of the `free` box before it."""
    at = content.index(b"mdat") - 4
    assert content[at - 4 : at] == b"free"
    length = int.from_bytes(content[at : at + 4]) + 8
    return content[: at - 8] + (1).to_bytes(4) + b"mdat" + length.to_bytes(8) + content[at + 8 :]


LAYOUTS = {
    "index first": lambda: video("+faststart"),
    "index last": video,
    "offsets of 8 bytes": lambda: with_long_offsets(video()),
    "length of 8 bytes": lambda: with_long_length(video()),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pictures_are_found_where_they_went(
    layout: str, tmp_path: Path, identity: SigningIdentity, read
) -> None:
    before, plain, signed = (tmp_path / f"{n}.mp4" for n in ("before", "plain", "signed"))
    before.write_bytes(LAYOUTS[layout]())
    with before.open("rb") as source, plain.open("wb") as target:
        place = insert(BOX, source, target)
    content = plain.read_bytes()
    assert content[place : place + len(BOX)] == BOX and content[4:8] == b"ftyp"
    assert content.index(b"moov") > place and len(content) == before.stat().st_size + len(BOX)
    signed_copy(before, signed, document_of(tmp_path, {}), identity)
    for after in (plain, signed):
        assert np.array_equal(read_video(before), read_video(after))
    assert read(signed)["hard_binding"] == "match"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no video at all",
        video("+frag_keyframe+empty_moov"),
        video()[:-3],
        video().replace(b"moov", b"free"),
        (2**32 - 1).to_bytes(4) + b"ftyp" + b"0" * 8,
    ],
    ids=["empty", "text", "fragmented", "cut off", "no index", "too long a box"],
)
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(NotAnMp4):
        insert(BOX, io.BytesIO(content), io.BytesIO())


def test_offsets_that_cannot_count_so_far_are_refused() -> None:
    content = bytearray(video())
    at = content.index(b"stco") + 12
    content[at : at + 4] = (2**32 - len(BOX)).to_bytes(4)
    with pytest.raises(NotAnMp4, match="offsets"):
        insert(BOX, io.BytesIO(content), io.BytesIO())


FULL = """
import resource, sys
from pathlib import Path
from catalog.credentials.boxes import insert
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))  # as a full disk does
with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as target:
    insert(b"x" * 20, source, target)
"""


def test_a_full_disk_is_an_error_and_no_shorter_file(tmp_path: Path) -> None:
    before = tmp_path / "before.mp4"
    before.write_bytes(video())
    assert before.stat().st_size > 1500
    command = [sys.executable, "-c", FULL, before, tmp_path / "after.mp4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode and "File too large" in done.stderr
