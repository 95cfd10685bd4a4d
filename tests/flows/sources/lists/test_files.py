"""Files that are read in pieces: what must not become a video, and what is tried again."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.errors import BadInput
from flows.sources.files import link
from flows.sources.files.file import CheckStop, FileRange, FileState
from flows.sources.files.link import LinkedFile
from flows.sources.files.local import LocalFile
from tests.flows.sources.lists.file_server import FileServer


def go_on() -> None:
    pass


class Short:
    """A file that ends before its size says."""

    uri = "short"

    def state(self, check_stop: CheckStop) -> FileState:
        return FileState(10, "")

    def pieces(
        self, state: FileState, start: int, size: int, check_stop: CheckStop
    ) -> Iterator[bytes]:
        yield b"five."


def refusal(address: FileRange, to: Path) -> tuple[str, bool]:
    with pytest.raises(BadInput) as error:
        address.download(to, go_on)
    assert not to.exists() and not list(to.parent.glob(".*"))
    return error.value.reason, error.value.final


def test_what_ends_early_is_no_video(tmp_path: Path) -> None:
    address = FileRange.whole(Short(), FileState(10, ""))
    assert refusal(address, tmp_path / "video") == ("cut_short", False)


def test_an_empty_file_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    file = LocalFile(tmp_path / "empty.mp4")
    address = FileRange.whole(file, file.state(go_on))
    assert refusal(address, tmp_path / "video") == ("empty_file", True)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "growing.mp4"
    path.write_bytes(b"1" * (3 << 20))
    file = LocalFile(path)
    address = FileRange.whole(file, file.state(go_on))

    calls = 0

    def changes() -> None:
        nonlocal calls
        calls += 1
        if calls < 2:  # after it was opened
            return
        with path.open("r+b") as writing:
            writing.write(b"2")
        os.utime(path, (1, 1))

    with pytest.raises(BadInput) as error:
        address.download(tmp_path / "video", changes)
    assert (error.value.reason, error.value.final) == ("changed_file", False)


def test_a_device_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(BadInput, match="a folder, device or pipe"):
            LocalFile(path).state(go_on)


def test_a_long_part_behind_a_link_is_asked_for_piece_by_piece(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "PIECE", 1000)
    monkeypatch.setattr("flows.sources.http.client.Patience.pause", lambda *_: 0.0)
    data = hashlib.shake_128(b"").digest(9000)
    server.files["/a.tar"] = data
    file = LinkedFile(f"{server.url}/a.tar?token=secret", ("127.0.0.1",))
    address = FileRange(file, file.state(go_on), 512, 4000)
    server.busy["/a.tar"] = 2  # tried again, twice
    server.requests.clear()
    address.download(tmp_path / "video", go_on)
    assert (tmp_path / "video").read_bytes() == data[512:4512]
    assert len(server.requests) == 4 + 2
    assert "secret" not in repr(address)
