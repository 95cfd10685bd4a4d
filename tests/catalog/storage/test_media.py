"""The media store: by content, once, whole, and swept."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catalog.errors import EditmillError
from catalog.media import MediaStore
from catalog.storage import files, open_storage


def stored(root) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


def test_a_file_lies_under_its_hash_once(tmp_path):
    store = MediaStore(tmp_path / "catalog")
    refs = []
    for _ in range(2):
        with store.writing(".bin") as draft:
            draft.path.write_bytes(b"content")
        refs.append(draft.ref)
    sha = hashlib.sha256(b"content").hexdigest()
    assert refs == [f"media/{sha[:2]}/{sha}.bin"] * 2
    assert store.path(refs[0]).read_bytes() == b"content"
    assert stored(tmp_path) == [f"catalog/{refs[0]}"]


def test_add_moves_a_finished_file(tmp_path):
    store = MediaStore(tmp_path / "catalog")
    path = tmp_path / "made.mp4"
    path.write_bytes(b"video")
    ref = store.add(path, ".mp4")
    assert not path.exists()
    assert store.path(ref).read_bytes() == b"video"


def test_in_any_storage_it_is_everywhere_after_the_flush(storage_uri, tmp_path, monkeypatch):
    store = MediaStore(open_storage(storage_uri))
    with store.writing(".mp4") as draft:
        draft.path.write_bytes(b"video")
    assert store.path(draft.ref).read_bytes() == b"video" and not draft.path.exists()
    store.flush()
    monkeypatch.setenv("EDITMILL_STORAGE_CACHE", str(tmp_path / "other machine"))
    elsewhere = MediaStore(open_storage(storage_uri), read_only=True)
    assert elsewhere.path(draft.ref).read_bytes() == b"video"
    assert not elsewhere.path("media/ab/ab12.mp4").exists()
    with pytest.raises(EditmillError, match="a release never changes") as caught:
        elsewhere.add(tmp_path / "x", ".mp4")
    assert storage_uri in str(caught.value)
    with pytest.raises(RuntimeError), store.writing(".mp4") as draft:
        draft.path.write_bytes(b"half")
        raise RuntimeError
    assert not draft.path.exists() and draft.ref == ""


def test_an_error_leaves_nothing(tmp_path):
    store = MediaStore(tmp_path)
    with pytest.raises(RuntimeError), store.writing(".mp4") as draft:
        draft.path.write_bytes(b"half")
        raise RuntimeError
    assert draft.ref == ""
    assert stored(tmp_path) == []


def test_many_writers_of_the_same_content(tmp_path):
    store = MediaStore(tmp_path)

    def add(number: int) -> str:
        with store.writing(".bin") as draft:
            draft.path.write_bytes(bytes([number % 3]) * 1000)
        return draft.ref

    with ThreadPoolExecutor(8) as pool:
        refs = set(pool.map(add, range(60)))
    assert stored(tmp_path) == sorted(refs)
    assert len(refs) == 3


def test_what_dead_processes_left_is_swept_and_no_other(tmp_path):
    left = "from catalog.storage.files import temporary_name as t; print(t('.mp4'))"
    env = {**os.environ, "PYTHONPATH": str(Path(files.__file__).parents[2])}
    command = [sys.executable, "-c", left]
    dead = subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout
    folder = tmp_path / "media" / ".tmp"
    folder.mkdir(parents=True)
    ours, elsewhere = files.temporary_name(".mp4"), ".other-host~1~x.mp4"
    for name in (dead.strip(), ours, elsewhere):
        (folder / name).write_bytes(b"")
    with MediaStore(tmp_path).writing(".bin") as draft:
        draft.path.write_bytes(b"x")
    assert {p.name for p in folder.iterdir()} == {ours, elsewhere}


@pytest.mark.parametrize("ref", ["", "../etc/passwd", "media/../../x", "/media/ab/x.mp4", "a/b/c"])
def test_other_paths_are_no_references(tmp_path, ref):
    with pytest.raises(EditmillError, match="no media reference"):
        MediaStore(tmp_path).path(ref)


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "media").write_bytes(b"")
    store = MediaStore(tmp_path)
    with pytest.raises(EditmillError, match="not a folder") as caught, store.writing(".bin"):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "ref",
    [
        "/etc/passwd",
        "media/../../x",
        "media/ab/../x.mp4",
        "media/ab/..",
        "media/../x.mp4",
        "media/ab//x.mp4",
        "media/ab/x",
        "media/ab/x.mp4/",
        "media/ab/x.mp4\n",
        "media/ab/x\0.mp4",
        "media/ab/.x.mp4",
        "media/ab/x.tar.mp4",
        "media/AB/x.mp4",
        "media\\ab\\x.mp4",
        "models/a/b.mp4",
        "",
    ],
)
def test_no_other_string_becomes_a_path(tmp_path, ref):
    with pytest.raises(EditmillError, match="no media reference") as caught:
        MediaStore(tmp_path).path(ref)
    assert "\n" not in str(caught.value)


def test_an_id_used_again_does_not_keep_a_dead_writers_file(tmp_path):
    name = files.temporary_name(".mp4")
    place, pid, started, rest = name.split("~")
    earlier = f"{place}~{pid}~{int(started) - 1}~{rest}"  # the same id, but an earlier process
    nobody = f"{place}~{pid}9999~{started}~{rest}"
    for each in (name, earlier, nobody):
        (tmp_path / each).write_bytes(b"")
    files.sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_writer_elsewhere_is_left_alone_until_it_is_long_gone(tmp_path):
    pid = os.getpid()
    fresh = f".elsewhere~{pid}~1~x.mp4"  # another machine or container: the ids are its own
    olden = ".elsewhere~1~x.mp4"
    for name in (fresh, olden, ".notes~1~", "~a~b"):
        (tmp_path / name).write_bytes(b"")
    files.sweep(tmp_path)
    assert (tmp_path / fresh).exists() and (tmp_path / olden).exists()
    long_ago = (tmp_path / olden).stat().st_mtime - 8 * 24 * 3600
    for path in tmp_path.iterdir():
        os.utime(path, (long_ago, long_ago))
    files.sweep(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".notes~1~", "~a~b"]
