"""What of a folder becomes footage, what is refused, and what is left out: nothing in silence."""

import os
import socket
from pathlib import Path

import av
import pytest

from catalog.errors import EditmillError
from flows.recipe import Recipe, parse
from flows.sources import listing
from flows.sources.copies import END, joined
from flows.sources.folder import FolderSources, find
from flows.sources.suffixes import DEMUXERS


def put(path: Path, content: bytes = b"video") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def recipe(*folders: Path) -> Recipe:
    sources = ", ".join(f"{{kind: folder, path: '{folder}'}}" for folder in folders)
    return parse(f"name: x\nsources: [{sources}]\nplan: {{weights: {{deblur: 1}}}}\n", "x")


def found(root: Path) -> list[str]:
    """Names of what may become footage."""
    return [f.name for f in find(FolderSources(kind="folder", path=root)).files if not f.refusal]


def refused(root: Path) -> dict[str, str]:
    """Reasons by name."""
    files = find(FolderSources(kind="folder", path=root)).files
    return {file.name: file.refusal.reason for file in files if file.refusal}


def notes(root: Path) -> list[str]:
    return find(FolderSources(kind="folder", path=root)).notes


def test_every_demuxer_that_a_suffix_needs_is_one_of_ffmpegs():
    assert all(av.formats_available & set(names.split(",")) for names in DEMUXERS)


def test_any_suffix_of_footage_in_any_case_is_found(tmp_path: Path):
    names = ["a.MTS", "b.m2ts", "c.mxf", "d.VOB", "e.gif", "f.f4v", "g.Mp4"]
    for name in names:
        put(tmp_path / name)
    assert found(tmp_path) == names


def test_hidden_files_bins_and_system_folders_are_no_footage(tmp_path: Path):
    for name in (
        "movie.mp4", "._movie.mp4", ".Trashes/x.mp4", "__MACOSX/._x.mp4", "$RECYCLE.BIN/x.mp4",
        "System Volume Information/x.mp4", "@eaDir/movie.mp4/SYNO.mp4", "#recycle/x.mp4",
        "lost+found/x.mp4", "..dots.mp4",
    ):  # fmt: skip
        put(tmp_path / name)
    assert found(tmp_path) == ["..dots.mp4", "movie.mp4"]
    assert notes(tmp_path) == [
        f"Left out: 8 hidden (or a bin, a system folder, a catalog) in {tmp_path}"
    ]


def test_a_catalog_among_the_footage_is_not_footage(tmp_path: Path):
    put(tmp_path / "movie.mp4")
    put(tmp_path / "dataset" / "catalog.json", b"{}")
    put(tmp_path / "dataset" / "tables" / "x.json", b"{}")
    put(tmp_path / "dataset" / "media" / "ab" / "clip.mp4")
    assert found(tmp_path) == ["movie.mp4"]


def test_other_files_are_counted_in_one_line(tmp_path: Path):
    for name in ("a.mp4", "b.JPG", "c.jpg", "d.txt", "README"):
        put(tmp_path / name)
    assert notes(tmp_path) == [
        "Left out: 4 files that are no video by name (.jpg 2, no suffix 1, .txt 1) "
        f"in {tmp_path}"
    ]  # fmt: skip


def test_videos_that_are_not_read_are_refused_one_by_one(tmp_path: Path):
    for name in ("a.mp4", "b.R3D", "c.braw", "d.LRV", "e.dav", "f.movie"):
        put(tmp_path / name)
    assert found(tmp_path) == ["a.mp4"]
    assert refused(tmp_path) == dict.fromkeys(
        ["b.R3D", "c.braw", "d.LRV", "e.dav", "f.movie"], "unsupported_format"
    )


def test_linked_folders_are_followed_once_and_never_in_a_circle(tmp_path: Path):
    root = tmp_path / "root"
    put(root / "sub" / "a.mp4")
    put(tmp_path / "elsewhere" / "b.mp4")
    (root / "again").symlink_to(root / "sub")
    (root / "circle").symlink_to(root)
    (root / "sub" / "up").symlink_to("..")
    (root / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(root)
    assert found(root) == ["other/b.mp4", "sub/a.mp4"]
    assert notes(root) == [f"Left out: 4 links to a folder listed already in {root}"]


def test_a_link_to_nothing_is_listed_and_a_pipe_is_refused(tmp_path: Path):
    put(tmp_path / "a.mp4")
    (tmp_path / "gone.mp4").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.mp4"))
    assert found(tmp_path) == ["a.mp4", "gone.mp4"]  # reading it says why
    assert refused(tmp_path) == dict.fromkeys(["pipe.mp4", "s.mp4"], "unreadable_file")


def test_a_folder_that_may_not_be_read_is_a_row_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    put(tmp_path / "a.mp4")
    put(tmp_path / "locked" / "b.mp4")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    (row,) = (f for f in find(FolderSources(kind="folder", path=tmp_path)).files if f.refusal)
    assert row.name == "locked"
    assert row.refusal.reason == "unreadable_folder"
    assert not row.refusal.final
    assert found(tmp_path) == ["a.mp4"]
    with pytest.raises(EditmillError, match="locked: cannot be read"):
        find(FolderSources(kind="folder", path=tmp_path / "locked"))


def test_names_that_are_no_utf8_are_printable_and_open_the_file(tmp_path: Path):
    put(tmp_path / os.fsdecode(b"caf\xe9.mp4"), b"latin")
    put(tmp_path / "caf\\xe9.mp4", b"backslash")
    put(tmp_path / "new\nline\u202e.mp4", b"utf-8")
    put(tmp_path / os.fsdecode(b"\xff") / "in.mp4", b"folder")
    files = listing(recipe(tmp_path).sources).files
    assert {file.name: file.path.read_bytes() for file in files} == {
        "caf\\xe9.mp4": b"backslash",
        "caf\\xe9.mp4 (2)": b"latin",
        "new\nline\u202e.mp4": b"utf-8",
        "\\xff/in.mp4": b"folder",
    }
    assert all(file.uri == file.name for file in files)
    for file in files:
        file.name.encode()


def test_two_folders_with_equal_names_give_two_names(tmp_path: Path):
    put(tmp_path / "a" / "1.mp4")
    put(tmp_path / "b" / "1.mp4")
    files = listing(recipe(tmp_path / "a", tmp_path / "b").sources).files
    assert [file.name for file in files] == ["1.mp4", "1.mp4 (2)"]


def test_a_folder_with_nothing_to_read_ends_in_one_line(tmp_path: Path):
    with pytest.raises(EditmillError, match="not a folder"):
        listing(recipe(tmp_path / "missing").sources)
    with pytest.raises(EditmillError, match="not a folder"):
        listing(recipe(Path("~nobody-is-called-so")).sources)
    put(tmp_path / "a.txt")
    with pytest.raises(EditmillError, match=r"no video in it.*\.txt 1"):
        listing(recipe(tmp_path).sources)
    put(tmp_path / "b.r3d")
    with pytest.raises(EditmillError, match=r"no source of 1 can be read.*b\.r3d"):
        listing(recipe(tmp_path).sources)


def test_files_of_equal_content_are_joined_and_no_others(tmp_path: Path):
    long = b"x" * (3 * END)
    for name, content in {
        "a.mp4": long,
        "b.mp4": long[:END] + b"y" + long[END + 1 :],  # differs only where nobody looks first
        "c.mp4": long,
        "d.mp4": b"short",
        "e.mp4": b"",
        "f.mp4": b"",
    }.items():
        put(tmp_path / name, content)
    (tmp_path / "g.mp4").symlink_to("c.mp4")
    (tmp_path / "h.mp4").symlink_to("nothing")
    files = joined(listing(recipe(tmp_path).sources).files)
    assert {file.name: [copy.name for copy in file.copies] for file in files} == {
        "a.mp4": ["c.mp4", "g.mp4"],
        **{f"{name}.mp4": [] for name in "bdefh"},
    }
