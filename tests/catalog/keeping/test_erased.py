"""What says so when a medium is not there because its source was forgotten and erased."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

import catalog
from catalog.errors import BadInput, EditmillError
from catalog.export.formats import format_named
from catalog.export.run import export
from catalog.keeping.erased import kept_path
from catalog.keeping.forget import erase, find, remember, take_out, trace
from catalog.records import Plan
from catalog.releases import Catalog
from catalog.samples import local_edit
from catalog.storage import open_storage
from flows.commands.reading.rebuild import rebuild
from tests.catalog.export.conftest import FIRST, dataset  # noqa: F401
from tests.catalog.keeping import two_sources
from tests.catalog.keeping.two_sources import Made

TOLD = "its source 'source0.mp4' was taken out of the catalog on 2"


@pytest.fixture
def erased(dataset: Catalog, tmp_path: Path) -> Catalog:  # noqa: F811
    """Release `v1`, whose first source was forgotten after it, with its media."""
    root = tmp_path / "set"
    shutil.copytree(dataset.root, root)
    storage = open_storage(str(root))
    source = find(storage, FIRST)
    trace(storage, source)
    remember(storage, source)
    take_out(storage, source)
    assert erase(storage, source)
    return catalog.open(root, ref="v1")


def gone(erased: Catalog) -> str:
    (ref,) = erased.pairs().filter(task="upscaling").collect()["source_video"]
    assert not erased.path(ref).exists()
    return str(ref)


@pytest.mark.parametrize(
    "name", ["huggingface", "webdataset", "instruct-pix2pix", "diffsynth-vace"]
)
def test_an_export_says_so(name: str, erased: Catalog, tmp_path: Path) -> None:
    with pytest.raises(EditmillError, match=TOLD) as told:
        export(erased, format_named(name), tmp_path / "out", where="task = 'upscaling'")
    assert "\n" not in str(told.value) and gone(erased) in str(told.value)
    done = export(erased, format_named(name), tmp_path / "other", where="licence = 'CC-BY-4.0'")
    assert done.splits == {"train": 1}


def test_what_is_missing_for_no_known_reason_stays_missing(erased: Catalog) -> None:
    with pytest.raises(BadInput, match=TOLD):
        kept_path(erased.media)(gone(erased))
    other = f"media/aa/{'a' * 64}.mp4"
    assert kept_path(erased.media)(other) == erased.path(other)


def test_its_frames_say_so(erased: Catalog) -> None:
    ref = gone(erased)
    (pair_id,) = erased.pairs().filter(task="upscaling").collect()["pair_id"]
    with pytest.raises(BadInput, match=TOLD):
        erased.pair(pair_id).frames("source", 0, 1)
    with pytest.raises(BadInput, match=TOLD):
        local_edit.read(erased, {"first_frame": 0, "frames": 1, "height": 8, "width": 8,
                                 "video": ref})  # fmt: skip


def test_a_rebuild_says_so(made: Made, tmp_path: Path) -> None:
    opened = catalog.open(made.uri)
    pair = opened.pair(two_sources.digest("pair", two_sources.FIRST, 0)).record
    plan = two_sources.record(Plan, plan_id="plan", clip_id=pair.clip_id, task="deblur")
    opened.tables.put("plans", {"plan": [plan]})
    opened.tables.put(
        "pairs", {"pair": [dataclasses.replace(pair, pair_id="e" * 32, plan_id="plan")]}
    )
    opened.release("v3", "{}")
    storage = open_storage(made.uri)
    source = find(storage, two_sources.FIRST)
    trace(storage, source)
    take_out(storage, source)
    erase(storage, source)
    with pytest.raises(EditmillError, match=r"its source 'first\.mp4' was taken out"):
        rebuild(made.uri, "e" * 32, ref="v3")


def test_a_copy_that_is_left_in_the_local_cache_is_not_used(s3_uri: str) -> None:
    made = two_sources.write(s3_uri)
    elsewhere = catalog.open(s3_uri, ref="v1")  # with a cache of its own, as on another machine
    pair = elsewhere.pair(two_sources.digest("pair", two_sources.FIRST, 0)).record
    copy = elsewhere.path(pair.target_video)
    content = copy.read_bytes()
    storage = open_storage(s3_uri)
    source = find(storage, two_sources.FIRST)
    trace(storage, source)
    take_out(storage, source)
    erase(storage, source)
    copy.write_bytes(content)
    release = catalog.open(s3_uri, ref="v1")
    with pytest.raises(BadInput, match=r"its source 'first\.mp4' was taken out"):
        kept_path(release.media)(pair.target_video)
    assert kept_path(release.media)(made.shared).is_file()
