"""Files are replaced whole, and what cannot be written says why in one line."""

import errno
import os

import pytest

from catalog.errors import EditmillError
from catalog.storage.files import replacing, unwritable, write_bytes


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
