"""A trained version's reference comes from a row: only one inside the catalog becomes a path."""

from pathlib import Path

import pytest

from catalog import trained
from catalog.errors import EditmillError
from catalog.storage import open_storage
from catalog.storage.folder import FolderStorage

REF = "models/remover/0123456789ab"


def version(root: Path, ref: str = REF) -> Path:
    folder = root / ref
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    "ref",
    [
        "/etc",
        "../models/remover/0123456789ab",
        "models/../models/0123456789ab",
        "models/../0123456789ab",
        "models/remover/..",
        "models/remover/0123456789ab/..",
        "models/remover/0123456789AB",
        "models/remover/0123456789ab\n",
        "models//0123456789ab",
        "models/.hidden/0123456789ab",
        "media/ab/x.mp4",
        "",
        None,
    ],
)
def test_no_other_string_becomes_a_path(tmp_path: Path, ref: str) -> None:
    with pytest.raises(EditmillError, match="no model's reference") as caught:
        trained.path_of(FolderStorage(tmp_path), ref)
    assert "\n" not in str(caught.value)


def test_what_is_linked_from_outside_is_refused(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "catalog", tmp_path / "elsewhere"
    folder = version(root)
    assert trained.path_of(FolderStorage(root), REF) == folder
    version(elsewhere)
    (folder / "adapter.safetensors").symlink_to(elsewhere / REF / "config.json")
    with pytest.raises(EditmillError, match="link to outside"):
        trained.path_of(FolderStorage(root), REF)
    other = "models/remover/ffffffffffff"
    (root / other).symlink_to(elsewhere / REF)
    with pytest.raises(EditmillError, match="link to outside"):
        trained.path_of(FolderStorage(root), other)


def test_all_models_may_lie_on_another_disk(tmp_path: Path) -> None:
    root, disk = tmp_path / "catalog", tmp_path / "disk"
    version(disk)
    root.mkdir()
    (root / "models").symlink_to(disk / "models")
    assert trained.path_of(FolderStorage(root), REF).joinpath("config.json").is_file()


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "a\0"])
def test_a_version_is_kept_under_a_folders_name_only(storage_uri: str, name: str) -> None:
    storage = open_storage(storage_uri)
    folder = version(storage.scratch, "candidate")
    with pytest.raises(EditmillError, match="no model's reference"):
        trained.keep(storage, name, folder)
    assert folder.is_dir()
    kept, ref = trained.keep(storage, "remover", folder)
    assert trained.path_of(storage, ref).name == kept
    assert trained.path_of(storage, ref).joinpath("config.json").read_text() == "{}"
    assert not folder.exists()
