"""What a stage that is run again writes lies above the catalog, and never in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.products import Products
from catalog.records import Failure
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Versioned
from catalog.storage.media import MediaStore
from catalog.tables import Tables
from flows.replay.overlay import NO_INPUT, OverlaidProducts, OverlaidTables, Overlay
from flows.runtime.results.journal import FAILED


@pytest.fixture
def below(tmp_path: Path) -> FolderStorage:
    storage = FolderStorage(tmp_path / "catalog")
    storage.write("a/1", b"below")
    return storage


@pytest.fixture
def overlay(below: FolderStorage, tmp_path: Path) -> Overlay:
    return Overlay(below, tmp_path / "own")


def test_what_is_written_is_read_and_stays_above(overlay: Overlay, below: FolderStorage) -> None:
    assert overlay.read("a/1") == b"below"
    overlay.write("a/1", b"above")
    assert overlay.create("a/2", b"new")
    assert not overlay.create("a/2", b"newer")
    below.write("a/3", b"there")
    assert not overlay.create("a/3", b"mine")
    assert [each.key for each in overlay.list("a")] == ["a/1", "a/2", "a/3"]
    assert overlay.read("a/1") == overlay.local("a/1").read_bytes() == b"above"
    assert overlay.local("a/3").read_bytes() == b"there"
    assert (overlay.exists("a/2"), overlay.exists("a/4")) == (True, False)
    assert below.read("a/1") == b"below"
    assert [each.key for each in below.list("")] == ["a/1", "a/3"]
    assert not isinstance(overlay, Versioned)  # no branch, no commit


def test_media_are_added_above(overlay: Overlay, below: FolderStorage) -> None:
    store = MediaStore(overlay)
    with store.writing(".mp4") as draft:
        draft.path.write_bytes(b"video")
    assert store.path(draft.ref).read_bytes() == b"video"
    assert not below.exists(draft.ref)


def test_rows_are_caught(below: FolderStorage) -> None:
    tables = Tables(below)
    tables.put("failures", {"p": [Failure("1", "edit", "r", "odd", "why")]})
    before = tables.version("failures")
    overlaid = OverlaidTables(tables)
    overlaid.put("failures", {"p": [], "q": [Failure("2", "edit", "s", "odd", "why")]})
    assert [row.failure_id for row in overlaid.records("failures")] == ["1"]
    assert [row.failure_id for row in overlaid.given["failures"]["q"]] == ["2"]
    assert tables.version("failures") == before


def test_one_stage_has_made_nothing_yet_and_the_others_what_they_made(
    overlay: Overlay, below: FolderStorage
) -> None:
    journal = Products(below)
    for stage in ("edit", "judge"):
        journal.put(stage, "k", {"made": stage})
    products = OverlaidProducts(overlay, "judge")
    assert products.get("edit", "k") == {"made": "edit"}
    assert products.get("judge", "k") is None
    products.put("judge", "k", {"made": "again"})
    assert products.get("judge", "k") == {"made": "again"}
    assert products.recorded.get("judge", "k") == {"made": "judge"}
    missing = products.get("edit", "another")
    assert missing is not None
    assert missing[FAILED]["reason"] == NO_INPUT
    assert products.get("contents", "another") is None  # may lack, and is found out anew
