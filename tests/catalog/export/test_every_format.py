"""What holds for every format: complete, deterministic, resumable, and never two in one folder."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import catalog
from catalog.errors import EditmillError
from catalog.export import placing
from catalog.export.files import ExportFile
from catalog.export.formats import FORMATS, format_named
from catalog.export.run import STATE, Exported, export
from catalog.releases import Catalog
from tests.catalog.export.compared import contents
from tests.catalog.export.conftest import Export

every_format = pytest.mark.parametrize("name", FORMATS)


class Once:
    """The release in each format, exported when first asked for; no test changes the folders."""

    def __init__(self, dataset: Catalog, folder: Path) -> None:
        self._dataset, self._folder = dataset, folder
        self.done: Callable[[str], Exported] = functools.cache(self._export)
        self.contents: Callable[[str], dict[str, Any]] = functools.cache(self._contents)

    def out(self, name: str) -> Path:
        return Path(self.done(name).out)

    def _export(self, name: str) -> Exported:
        return export(self._dataset, format_named(name), self._folder / name)

    def _contents(self, name: str) -> dict[str, Any]:
        return contents(self.out(name))


@pytest.fixture(scope="module")
def once(dataset: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Once:
    return Once(dataset, tmp_path_factory.mktemp("exports"))


@every_format
def test_a_second_run_finds_nothing_to_do(name: str, run: Export, once: Once) -> None:
    first, out = once.done(name), once.out(name)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    again = run(name, out)
    assert first.made and not again.made
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    assert (again.splits, again.files, again.bytes) == (first.splits, first.files, first.bytes)


@every_format
def test_an_interrupted_export_ends_like_an_undisturbed_one(
    name: str, run: Export, once: Once, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, undisturbed, made = tmp_path / "out", once.contents(name), 0

    def breaks(file: ExportFile, *rest: Any) -> Any:
        nonlocal made
        made += 1
        if made > len(undisturbed) // 2:
            raise KeyboardInterrupt
        return make(file, *rest)

    make = placing._make
    with monkeypatch.context() as broken:
        broken.setattr(placing, "_make", breaks)
        with pytest.raises(KeyboardInterrupt):
            run(name, out)
    assert set(contents(out)) < set(undisturbed)
    run(name, out)
    assert contents(out) == undisturbed


@every_format
def test_copies_are_what_links_are_and_nobody_elses(
    name: str, run: Export, once: Once, dataset: Catalog, tmp_path: Path
) -> None:
    linked = once.done(name)
    shared = {path.stat().st_ino for path in dataset.root.rglob("media/*/*")}
    links = [p for p in once.out(name).rglob("*") if p.stat().st_ino in shared]
    assert len(links) == linked.linked
    copied = run(name, tmp_path / "out", link=False)
    assert not copied.linked and copied.made == linked.made
    assert contents(tmp_path / "out") == once.contents(name)
    assert not any(p.stat().st_ino in shared for p in (tmp_path / "out").rglob("*"))


@every_format
def test_the_card_says_what_and_from_where(name: str, once: Once) -> None:
    done = once.done(name)
    card = (once.out(name) / "README.md").read_text()
    assert card.startswith("---\n") == bool(FORMATS[name].hub)
    assert FORMATS[name].reader in card and "`v1`" in card and "file:bar" in card
    assert str(sum(done.splits.values())) in card
    assert "CC0-1.0" in card


@pytest.mark.parametrize("name", [n for n, f in FORMATS.items() if f.rows == "pairs"])
def test_splits_share_no_source(name: str, run: Export, tmp_path: Path) -> None:
    done = run(name, tmp_path / "out", splits={"train": 0.5, "validation": 0.5})
    assert set(done.splits) == {"train", "validation"}
    assert done.left_out["made of sources of two splits"] == 1  # the swap with another's donor
    folders = {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()}
    assert folders == {"train", "validation", "provenance"}


@every_format
def test_another_selection_is_refused(name: str, run: Export, once: Once) -> None:
    before = once.contents(name)
    with pytest.raises(EditmillError, match="name another folder") as told:
        run(name, once.out(name), where="label = 'bar'")
    assert "\n" not in str(told.value)
    assert contents(once.out(name)) == before


def test_each_pair_has_its_provenance(run: Export, dataset: Catalog, tmp_path: Path) -> None:
    run("vefx", tmp_path / "out", splits={"train": 0.5, "validation": 0.5})
    found: list[str] = []
    for split in ("train", "validation"):
        lines = (tmp_path / "out" / "provenance" / f"{split}.jsonl").read_text().splitlines()
        ids = {path.stem for path in (tmp_path / "out" / split / "target").iterdir()}
        assert {json.loads(line)["pair_id"] for line in lines} == ids
        found += ids
    assert len(found) == 5
    run("preferences", tmp_path / "both")
    (chosen, rejected) = map(
        json.loads, (tmp_path / "both" / "provenance" / "train.jsonl").read_text().splitlines()
    )
    assert {chosen["verdict"]["keep"], rejected["verdict"]["keep"]} == {True, False}


def test_another_format_is_refused(run: Export, tmp_path: Path) -> None:
    run("vefx", tmp_path / "out")
    with pytest.raises(EditmillError, match="another format"):
        run("senorita", tmp_path / "out")


def test_a_folder_with_other_things_is_refused(run: Export, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(EditmillError, match="is not empty"):
        run("vefx", tmp_path)
    assert contents(tmp_path) == {"notes.txt": b"mine"}


def test_what_a_killed_export_left_half_written_is_removed(run: Export, tmp_path: Path) -> None:
    run("vefx", tmp_path / "out")
    dead = tmp_path / "out" / "train" / "source" / ".0123456789abcdef~1~1~x.tmp"
    place = placing.__dict__["sweep"].__globals__["_place"]()
    dead = dead.with_name(f".{place}~999999999~1~x.tmp")
    dead.write_bytes(b"half")
    run("vefx", tmp_path / "out")
    assert not dead.exists()


def test_a_missing_medium_is_one_line(
    run: Export, dataset: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(dataset.media), "path", lambda self, ref: tmp_path / "gone" / ref)
    with pytest.raises(EditmillError, match="is missing") as told:
        run("vefx", tmp_path / "out")
    assert "\n" not in str(told.value)


@every_format
@pytest.mark.parametrize("link", [True, False])
def test_a_damaged_medium_is_one_line(
    name: str, link: bool, dataset: Catalog, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(dataset.root, tmp_path / "set"))
    for path in root.glob("media/*/*"):
        path.write_bytes(path.read_bytes() + b"\0")  # which no decoder minds
    with pytest.raises(EditmillError, match=r"is damaged.*restore it, or leave its pair") as told:
        export(catalog.open(root, ref="v1"), format_named(name), tmp_path / "out", link=link)
    assert "\n" not in str(told.value) and str(root) in str(told.value)


def test_a_full_disk_is_one_line(
    run: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("catalog.export.files.copy_file", full)
    with pytest.raises(EditmillError, match="the disk is full") as told:
        run("vefx", tmp_path / "out", link=False)
    assert "\n" not in str(told.value)
    monkeypatch.undo()
    assert run("vefx", tmp_path / "out", link=False).made


def test_where_links_cannot_be_made_files_are_copied(
    run: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    done = run("vefx", tmp_path / "out")
    assert done.made and not done.linked


def test_the_state_says_what_is_exported(run: Export, tmp_path: Path) -> None:
    run("vefx", tmp_path / "out", where="task = 'upscaling'")
    state = json.loads((tmp_path / "out" / STATE).read_text())
    assert (state["format"], state["ref"], state["where"]) == ("vefx", "v1", "task = 'upscaling'")


def _paths(index: Any) -> Iterator[str]:
    """Every value of a JSON index that looks like a path."""
    if isinstance(index, dict):
        for value in index.values():
            yield from _paths(value)
    elif isinstance(index, list):
        for value in index:
            yield from _paths(value)
    elif isinstance(index, str) and index.endswith((".mp4", ".mkv", ".png")):
        yield index


@every_format
def test_json_indexes_name_files_that_are_there_and_hold_nothing_empty(
    name: str, once: Once
) -> None:
    out = once.out(name)
    for index in [*out.rglob("*.json"), *out.rglob("*.jsonl")]:
        if index.name == STATE or index.parent.name == "provenance":
            continue
        text = index.read_text()
        entries = (
            json.loads(text) if index.suffix == ".json" else map(json.loads, text.split("\n")[:-1])
        )
        for entry in entries:
            assert "" not in entry.values() and None not in entry.values()
            paths = list(_paths(entry))
            assert paths and all((index.parent / path).is_file() for path in paths)


@pytest.mark.parametrize("state", ["[]", "null", "[" * 100_000])
def test_a_marker_that_says_no_export_is_one_line(run: Export, tmp_path: Path, state: str) -> None:
    run("webdataset", tmp_path / "out")
    (tmp_path / "out" / STATE).write_text(state)
    with pytest.raises(EditmillError, match="name a new folder"):
        run("webdataset", tmp_path / "out")


def test_an_export_killed_before_its_marker_was_written_goes_on(
    run: Export, tmp_path: Path
) -> None:
    code = """
import pathlib, sys
from catalog.storage.files import temporary_name
pathlib.Path(sys.argv[1], temporary_name(".tmp")).touch()
"""
    (tmp_path / "out").mkdir()
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=True)
    assert run("webdataset", tmp_path / "out").made


@pytest.mark.parametrize("place", [".", "exports/one", "media"])
def test_a_folder_in_the_catalog_itself_is_refused(
    place: str, dataset: Catalog, tmp_path: Path
) -> None:
    root = tmp_path / "set"
    shutil.copytree(dataset.root, root)
    (tmp_path / "link").symlink_to(root)
    before = sorted(root.rglob("*"))
    for out in (root / place, tmp_path / "link" / place):
        with pytest.raises(EditmillError, match="lies inside the catalog") as told:
            export(catalog.open(root, ref="v1"), format_named("vefx"), out)
        assert "\n" not in str(told.value)
    assert sorted(root.rglob("*")) == before
