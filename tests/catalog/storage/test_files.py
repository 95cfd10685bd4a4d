"""Files are replaced whole, and what cannot be written says why in one line."""

import errno
import os
import resource
import signal
from pathlib import Path

import pytest

from catalog.errors import EditmillError
from catalog.storage import files
from catalog.storage.files import check_writable, replacing, unwritable, write_bytes
from catalog.storage.folder import FolderStorage


def test_a_file_is_replaced_or_stays(tmp_path):
    path = tmp_path / "a"
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_bytes(b"ne")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "x"), "the disk is full"),
        (OSError(errno.EDQUOT, "x"), "quota"),
        (OSError(errno.EACCES, "x"), "permission"),
        (OSError(errno.EROFS, "x"), "read-only"),
        # What Delta's writer says, over several lines and in colour.
        (OSError("Generic error\n \x1b[31m↳\x1b[0m " + os.strerror(errno.ENOSPC)), "disk is full"),
        (ValueError("\x1b[31mstrange\x1b[0m\nthing"), "(strange thing)"),
    ],
)
def test_the_reason_is_one_line_with_a_remedy(error, told):
    message = str(unwritable("out/a.mp4", error))
    assert message.startswith("out/a.mp4: cannot be written")
    assert told in message and "\n" not in message and "\x1b" not in message


def test_a_folder_in_the_way(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(EditmillError, match="cannot be written"):
        write_bytes(tmp_path / "a", b"x")


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_or_a_device_stays_what_it_is(tmp_path, linked):
    """Who is root would have a file in the place of /dev/null else."""
    pipe = path = tmp_path / "pipe"
    os.mkfifo(pipe)
    if linked:  # as /dev/stdout is
        path = tmp_path / "link"
        path.symlink_to(pipe)
    for write in (lambda: write_bytes(path, b"data"), lambda: check_writable(path)):
        with pytest.raises(EditmillError, match=r": is a device or a pipe; name a file"):
            write()
    assert pipe.is_fifo() and path.is_symlink() == linked


@pytest.mark.parametrize("by_kernel", [True, False])
@pytest.mark.parametrize("size", [10, 3 * files.COPIED_AT_ONCE + 5])
def test_a_range_is_copied_to_where_the_target_stands(
    tmp_path: Path, size: int, by_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    if not by_kernel:
        monkeypatch.setattr(os, "copy_file_range", refused, raising=False)
    content = os.urandom(size)
    path, copied = tmp_path / "path", tmp_path / "copied"
    path.write_bytes(content)
    with path.open("rb") as source, copied.open("wb") as target:
        assert source.read(3) == content[:3]
        target.write(b"head ")
        files.copy_range(source, target, size - 2)
        assert source.read() == content[-2:]
        target.write(b" tail")
    assert copied.read_bytes() == b"head " + content[3:-2] + b" tail"


def test_a_disk_that_is_full_while_the_kernel_copies_is_told(tmp_path: Path) -> None:
    path, soft = tmp_path / "path", resource.getrlimit(resource.RLIMIT_FSIZE)
    path.write_bytes(os.urandom(1 << 16))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, soft[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            files.copy_file(path, tmp_path / "copied")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, soft)
        signal.signal(signal.SIGXFSZ, before)


def test_a_file_that_begins_to_be_written_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "path"
    with path.open("wb") as file:
        file.write(b"x" * 100_000)
        files.begin_writing(file.fileno())
        file.write(b"y")
        files.begin_writing(file.fileno())
    assert path.read_bytes() == b"x" * 100_000 + b"y"


def test_what_is_created_is_named_as_itself_where_the_disk_is_full(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for write in (FolderStorage(tmp_path).create, FolderStorage(tmp_path).write):
        with pytest.raises(EditmillError, match=r"/releases/v1\.json: cannot be written: the disk"):
            write("releases/v1.json", b"{}")
    assert [path.name for path in tmp_path.rglob("*")] == ["releases"]
