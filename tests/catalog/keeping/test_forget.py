"""Forgetting a source: what goes, what stays, and that an interrupted one is finished."""

import functools
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

import catalog
from catalog import trained
from catalog.errors import EditmillError
from catalog.keeping.forget import (
    find,
    forgotten_sources,
    remember,
    trace,
)
from catalog.keys import digest
from catalog.labels import add, holding, labelled
from catalog.products import Products
from catalog.storage import open_storage
from catalog.storage.folder import FolderStorage
from catalog.tables import Tables
from tests.catalog.keeping import two_sources
from tests.catalog.keeping.two_sources import FIRST, SECOND, SELECTIONS, Made, forget

TABLES = ("sources", "clips", "tracks", "plans", "pairs", "local_edits", "failures")
LEFT = dict(zip(TABLES, (1, 1, 1, 1, 2, 1, 2), strict=True))
"""Rows of each selection that have nothing of the first source."""


def rows(uri: str, selection: str) -> dict[str, int]:
    tables = Tables(open_storage(uri), selection)
    return {table: len(tables.records(table)) for table in TABLES}


def missing(made: Made) -> set[str]:
    every = {*made.own[FIRST], *made.own[SECOND], *made.swap, made.pasted, made.shared}
    storage = open_storage(made.uri)
    return {reference for reference in every if not storage.exists(reference)}


@pytest.mark.parametrize("wanted", [FIRST, FIRST[:6], "first.mp4", "u/first.mp4"])
def test_a_source_is_found_by_what_it_is_called(made: Made, wanted: str):
    assert find(open_storage(made.uri), wanted).source_id == FIRST


def test_a_wrong_name_is_told_the_nearest(made: Made):
    with pytest.raises(EditmillError, match=r"no source .* there are: first\.mp4") as told:
        find(open_storage(made.uri), "frist.mp4")
    assert "\n" not in str(told.value)
    with pytest.raises(EditmillError, match="no source"):
        find(open_storage(made.uri), "")


def test_a_name_of_two_sources_is_refused(made: Made):
    tables = catalog.open(made.uri).tables
    source = tables.records("sources")[0]
    other = two_sources.record(type(source), source_id="0" * 64, name="first.mp4")
    tables.put("sources", {"other": [other]})
    with pytest.raises(EditmillError, match="2 sources; name one by its id"):
        find(open_storage(made.uri), "first.mp4")


def test_all_that_came_of_it_goes_from_every_selection_and_nothing_else(made: Made):
    storage = open_storage(made.uri)
    before = rows(made.uri, SELECTIONS[0])
    removal = trace(storage, find(storage, "first.mp4"))
    assert removal.rows == {t: 2 * (before[t] - LEFT[t]) for t in TABLES} | {
        "failures": 2  # those of drafts that no row names are not counted, but go too
    }
    assert removal.releases == {"v1": 4, "v2": 4}
    forget(storage, "first.mp4")
    for selection in SELECTIONS:
        assert rows(made.uri, selection) == LEFT
    assert catalog.open(made.uri).sources().collect()["source_id"].to_list() == [SECOND]
    assert len(catalog.open(made.uri, "v1").pairs().collect()) == 5  # a release never changes
    assert missing(made) == set()
    assert forgotten_sources(storage) == {FIRST}
    assert trace(storage, find(storage, "first.mp4")).rows == {}


def test_the_labels_of_its_pairs_go_too(made: Made):
    """Of all selections, since labels are the whole catalog's; also where it was interrupted."""
    storage, left = open_storage(made.uri), digest("pair", SECOND, 0)
    pairs = (digest("pair", FIRST, 0), digest("swap"), left)
    add(catalog.open(made.uri), [labelled(pair, True) for pair in pairs])
    source = find(storage, "first.mp4")
    assert trace(storage, source).rows["labels"] == 2
    remember(storage, source)
    for selection in SELECTIONS:
        Tables(storage, selection).remove("pairs", pl.lit(True))
    storage.delete(["releases/v1.json", "releases/v2.json"])  # only the note tells now
    forget(storage, "first.mp4")
    assert set(holding(storage)) == {left}


def test_a_request_that_was_carried_out_is_so_no_more(made: Made):
    forget(open_storage(made.uri), "first.mp4")
    assert Products(open_storage(made.uri)).get("build", digest("a request")) is None


def test_erasing_deletes_what_only_it_shows(made: Made):
    storage = open_storage(made.uri)
    forget(storage, "first.mp4", erasing=True)
    assert missing(made) == {*made.own[FIRST], *made.swap, made.pasted}
    products = Products(storage)
    assert products.read("annotate", two_sources.clip_id(FIRST)) == {}
    assert products.read("edit", two_sources.clip_id(FIRST)) == {}
    assert products.get("ingest", digest("i", FIRST)) is None
    left = products.read("edit", two_sources.clip_id(SECOND))
    assert set(left) == {
        digest("e", two_sources.clip_id(SECOND)),
        digest("r", two_sources.clip_id(SECOND)),
    }
    assert products.get("ingest", digest("i", SECOND)) is not None
    assert json.loads(storage.read(f"forgotten/{FIRST}.json"))["erased"]


def test_erasing_may_come_later(made: Made):
    storage = open_storage(made.uri)
    forget(storage, "first.mp4")
    for tag in ("v1", "v2"):  # the rows are nowhere any more, only the note tells
        storage.delete([f"releases/{tag}.json"])
    assert forget(storage, "first.mp4", erasing=True).erased
    assert missing(made) == {*made.own[FIRST], *made.swap, made.pasted}


def test_trained_experts_that_saw_it_are_known(made: Made):
    storage = open_storage(made.uri)
    assert trained.seen(storage, FIRST) == ["models/remover/" + "1" * 12]
    assert len(trained.seen(storage, SECOND)) == 2


def test_put_back_it_is_written_again(made: Made):
    """Whoever removes the note and builds again gets the rows again, though their parts are as
    they were before."""
    at = catalog.open(made.uri)
    clip = two_sources.clip_id(FIRST)
    parts: dict[str, list] = {clip: []}
    for pair in at.tables.records("pairs"):
        if pair.clip_id == clip:
            parts[clip].append(pair)
    mixed = {"failures": at.tables.records("failures")}
    at.tables.put("failures", mixed)
    forget(at.storage, "first.mp4")
    again = catalog.open(made.uri).tables
    assert again.put("pairs", parts) == 2
    assert again.put("failures", mixed) == 4


class Killed(BaseException):
    pass


def interrupted(monkeypatch: pytest.MonkeyPatch, steps: int, run: Callable[[], object]) -> int:
    """Run, ended before the step of that number; how many steps there were."""
    done = 0

    def counted(method):
        def step(*args, **kwargs):
            nonlocal done
            if done == steps:
                raise Killed
            done += 1
            return method(*args, **kwargs)

        return step

    with monkeypatch.context() as patched, suppress(Killed):
        patched.setattr(Tables, "remove", counted(Tables.remove))
        patched.setattr(FolderStorage, "write", counted(FolderStorage.write))
        patched.setattr(FolderStorage, "delete", counted(FolderStorage.delete))
        run()
    return done


def test_killed_between_two_steps_the_next_one_finishes(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = FolderStorage(shutil.copytree(made.uri, tmp_path / "whole"))
    steps = interrupted(monkeypatch, 1000, lambda: forget(whole, FIRST, erasing=True))
    assert steps > 20  # the note, seven tables of two selections, the journal, the media
    for killed in (1, 4, 15, steps - 4, steps - 2, steps - 1):
        root = shutil.copytree(made.uri, tmp_path / f"killed-{killed}")
        storage = FolderStorage(root)
        run = functools.partial(forget, storage, FIRST, erasing=True)
        assert interrupted(monkeypatch, killed, run) == killed
        forget(storage, "first.mp4", erasing=True)
        assert [rows(str(root), selection) for selection in SELECTIONS] == [LEFT, LEFT], killed
        own = Made(str(root), made.own, made.swap, made.pasted, made.shared)
        assert missing(own) == {*made.own[FIRST], *made.swap, made.pasted}, killed


def test_what_was_forgotten_is_no_survivor_of_another(made: Made):
    """The swap shows both; it goes with either."""
    storage = open_storage(made.uri)
    forget(storage, "second.mp4", erasing=True)
    assert missing(made) == {*made.own[SECOND], *made.swap, made.pasted}
    forget(storage, "first.mp4", erasing=True)
    assert missing(made) == {
        *made.own[FIRST],
        *made.own[SECOND],
        *made.swap,
        made.pasted,
        made.shared,
    }
    assert catalog.open(made.uri).pairs().select(pl.len()).collect().item() == 0


@pytest.mark.parametrize("kind", ["s3_uri", "lakefs_uri"])
def test_elsewhere_than_in_a_folder(kind: str, request: pytest.FixtureRequest):
    made = two_sources.write(request.getfixturevalue(kind))
    forget(open_storage(made.uri), "first.mp4", erasing=True)
    assert rows(made.uri, SELECTIONS[1]) == LEFT
    assert missing(made) == {*made.own[FIRST], *made.swap, made.pasted}
    assert trace(open_storage(made.uri), find(open_storage(made.uri), FIRST)).rows == {}
