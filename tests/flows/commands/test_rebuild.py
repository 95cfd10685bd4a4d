"""Where `editmill rebuild` writes, and what it says where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.errors import EditmillError
from catalog.storage.media import MediaStore
from flows.commands.reading.rebuild import _hand_out, _scratch


@pytest.mark.parametrize("place", [".", "again", "media"])
def test_a_folder_in_the_catalog_itself_is_refused(
    refused: Callable[..., str], root: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "link").symlink_to(root)
    before = sorted(root.rglob("*"))
    for out in (root / place, tmp_path / "link" / place):
        told = refused("rebuild", "ffff", "--out", out, "--catalog", root)
        assert "lies inside the catalog" in told and "outside of it" in told
    assert sorted(root.rglob("*")) == before


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(EditmillError, match=r"cannot be written.* with --out"),
        _scratch(tmp_path / "file" / "again"),
    ):
        pass


def test_another_fault_is_not_taken_for_an_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="of a server"), _scratch(tmp_path):
        raise ConnectionError("of a server")
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mask.mkv").mkdir()
    store = MediaStore(tmp_path / "made")
    with store.writing(".mkv") as mask:
        mask.path.write_bytes(b"masks")
    with pytest.raises(EditmillError, match=r"mask.mkv: cannot be written: it is a folder"):
        _hand_out(store, tmp_path, {"mask": mask.ref})
    (tmp_path / "mask.mkv").rmdir()
    assert _hand_out(store, tmp_path, {"mask": mask.ref}) == {"mask": str(tmp_path / "mask.mkv")}
    assert (tmp_path / "mask.mkv").read_bytes() == b"masks"
