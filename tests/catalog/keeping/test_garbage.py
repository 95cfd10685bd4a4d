"""Garbage goes; what a selection or a release names stays, and so does what may be named soon."""

import hashlib
import os
import random
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalog
from catalog.errors import EditmillError
from catalog.keeping.forget import find, remember, take_out, trace
from catalog.keeping.garbage import collect
from catalog.keeping.references import MEDIA_COLUMNS
from catalog.keeping.upgrade import upgrade
from catalog.keys import digest
from catalog.labels import add, holding, labelled
from catalog.policy import Policy
from catalog.products import Products
from catalog.records import Clip, LocalEdit, Pair, Plan, Track
from catalog.storage import open_storage
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage
from catalog.tables import Tables
from tests.catalog.keeping import format_1, two_sources
from tests.catalog.keeping.two_sources import SELECTIONS, Made, record, store

RECORDS = {"clips": Clip, "tracks": Track, "plans": Plan, "pairs": Pair, "local_edits": LocalEdit}


def age(root: Path, hours: float = 24 * 30) -> None:
    """Let all objects be so old."""
    then = time.time() - 3600 * hours
    for each in FolderStorage(root).list(""):
        os.utime(root / each.key, (then, then))


def media(storage: Storage) -> set[str]:
    return {each.key for each in storage.list("media")}


def shown(uri: str, *refs: str) -> list[object]:
    """Every row at these refs."""
    return [
        catalog.open(uri, ref).table(table).collect().rows() for ref in refs for table in RECORDS
    ]


def test_nothing_that_a_ref_shows_is_touched(made: Made):
    storage = open_storage(made.uri)
    tables = catalog.open(made.uri).tables
    tables.drop("pairs", [two_sources.clip_id(two_sources.FIRST)])  # releases have them still
    refs = ("main", "v1", "v2")
    before, rows = media(storage), shown(made.uri, *refs)
    orphans = {
        store(storage, f"an edit of {name}.mp4 that no row names") for name in ("first", "second")
    }
    age(Path(made.uri))
    done = collect(storage)
    assert media(storage) == before - orphans
    assert (done.media, done.products, done.selections) == (2, 4, [])
    assert done.bytes == sum(
        len(f"an edit of {name}.mp4 that no row names") for name in ("first", "second")
    )
    assert shown(made.uri, *refs) == rows
    again = collect(storage)
    assert (again.media, again.products, again.kept) == (0, 0, done.kept)


def test_a_product_goes_with_its_medium_and_leaves_the_others(made: Made):
    storage, clip = open_storage(made.uri), two_sources.clip_id(two_sources.FIRST)
    assert set(Products(storage).read("edit", clip)) == {digest("e", clip), digest("r", clip)}
    age(Path(made.uri))
    collect(storage)
    assert set(Products(storage).read("edit", clip)) == {digest("e", clip)}


def test_a_dry_run_tells_and_changes_nothing(made: Made):
    storage = open_storage(made.uri)
    age(Path(made.uri))
    before = {each.key: each.size for each in storage.list("")}
    told = collect(storage, dry_run=True)
    assert {each.key: each.size for each in storage.list("")} == before
    assert told == collect(storage)


def test_what_is_young_stays(made: Made):
    storage = open_storage(made.uri)
    before = media(storage)
    done = collect(storage)
    assert (done.media, done.young) == (0, 2)
    assert media(storage) == before
    age(Path(made.uri), hours=5)
    assert collect(storage, older_than=6).media == 0
    assert collect(storage, older_than=4).media == 2


def test_an_abandoned_selection_goes_with_its_tables_and_media(made: Made):
    storage = open_storage(made.uri)
    abandoned = catalog.open(made.uri).select("c" * 16, "recipe 3", Policy(), "1")
    only = store(storage, "of a build that was given up")
    abandoned.tables.put("clips", {"x": [record(Clip, clip_id="x", video=only)]})
    assert collect(storage).selections == []  # it may go on
    age(Path(made.uri))
    assert collect(storage).selections == ["c" * 16]
    assert not storage.exists(only)
    assert not list(storage.list("tables/" + "c" * 16))
    assert not storage.exists(f"selections/{'c' * 16}.json")
    for selection in SELECTIONS:
        assert Tables(storage, selection).records("clips")


def test_a_selection_that_was_built_and_not_released_keeps_its_media_while_it_is_main(made: Made):
    at = catalog.open(made.uri).select("d" * 16, "recipe 4", Policy(), "1")
    at.become_main()
    own = store(at.storage, "of main alone")
    at.tables.put("tracks", {"x": [record(Track, track_id="x", masks=own)]})
    age(Path(made.uri))
    assert collect(at.storage).selections == []
    assert at.storage.exists(own)


def test_labels_stay_when_the_selection_that_had_their_pairs_goes(made: Made):
    """They are no selection's, and the pair may be made again."""
    at = catalog.open(made.uri)
    add(at, [labelled(digest("swap"), True)])
    at.storage.delete(["releases/v1.json"])
    age(Path(made.uri))
    assert collect(at.storage).selections == [SELECTIONS[0]]
    assert set(holding(at.storage)) == {digest("swap")}


def test_tables_of_format_1_go_when_no_release_needs_them(tmp_path: Path):
    root = format_1.write(tmp_path / "old")
    upgrade(root)
    storage = FolderStorage(root)
    age(root)
    assert collect(storage).selections == []  # main and two releases
    rows = shown(str(root), "main", "v1", "v2")
    catalog.open(root).select("e" * 16, "recipe", Policy(), "1").become_main()
    assert collect(storage).selections == []
    assert shown(str(root), "v1", "v2") == rows[len(RECORDS) :]
    storage.delete(["releases/v1.json", "releases/v2.json"])
    age(root)
    assert collect(storage).selections == [""]
    assert {each.key.split("/")[1] for each in storage.list("tables")} == {"trained"}
    assert catalog.open(root).tables.records("trained") == [format_1.expert("a" * 12)]


def test_after_forgetting_only_releases_keep_the_media(made: Made):
    storage = open_storage(made.uri)
    source = find(storage, "first.mp4")
    trace(storage, source)
    remember(storage, source)
    take_out(storage, source)
    age(Path(made.uri))
    collect(storage)
    assert made.own[two_sources.FIRST] - media(storage) == {
        ref for ref in made.own[two_sources.FIRST] if not storage.exists(ref)
    }
    assert {*made.swap, made.pasted} <= media(storage)
    storage.delete(["releases/v1.json", "releases/v2.json"])
    catalog.open(made.uri).release("v3")
    collect(storage, older_than=0)
    left = media(storage)
    assert not left & {*made.own[two_sources.FIRST], *made.swap, made.pasted}
    assert made.shared in left


def test_a_lost_table_is_not_taken_for_an_empty_one(made: Made):
    storage = open_storage(made.uri)
    age(Path(made.uri))
    before = media(storage)
    shutil.rmtree(Path(made.uri, "tables", SELECTIONS[0], "tracks"))
    with pytest.raises(EditmillError, match="tracks of release 'v1' is gone"):
        collect(storage)
    assert media(storage) == before


def test_it_stops_where_a_build_has_begun(made: Made):
    storage = open_storage(made.uri)
    age(Path(made.uri))
    before = media(storage)
    looks = []

    def begun() -> None:
        looks.append(1)
        raise EditmillError("a build has begun")

    with pytest.raises(EditmillError, match="begun"):
        collect(storage, check=begun)
    assert looks and media(storage) == before


def test_what_a_build_names_meanwhile_stays(made: Made):
    """A short build that began after the rows were read, found an old product and has ended."""
    storage = open_storage(made.uri)
    age(Path(made.uri))
    revived = store(storage, "an edit of first.mp4 that no row names")
    age(Path(made.uri))
    tables = catalog.open(made.uri).tables
    looks = iter(
        [lambda: tables.put("pairs", {"r": [record(Pair, pair_id="r", target_video=revived)]})]
    )
    collect(storage, check=lambda: next(looks, lambda: None)())
    assert storage.exists(revived)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_random_rows_at_random_refs_keep_exactly_their_media(seed: int, tmp_path: Path):
    draw = random.Random(seed)
    root = tmp_path / str(seed)
    storage = FolderStorage(root)
    pool = [store(storage, f"medium {k}") for k in range(40)]
    named: set[str] = set()

    def rows(table: str, count: int) -> list:
        made = []
        for k in range(count):
            column = draw.choice(MEDIA_COLUMNS[table])
            ref = draw.choice(pool)
            value = {"donor": {"masks": [ref]}} if column == "params" else ref
            made.append((ref, record(RECORDS[table], **{key(table): f"{seed}{k}", column: value})))
        return made

    def key(table: str) -> str:
        return {"clips": "clip_id", "tracks": "track_id", "plans": "plan_id", "pairs": "pair_id",
                "local_edits": "edit_id"}[table]  # fmt: skip

    current: dict[tuple[str, str], list] = {}
    for step in range(draw.randint(1, 4)):
        selection = draw.choice(SELECTIONS)
        at = catalog.open(root, create=True).select(selection, "r", Policy(), "1")
        at.become_main()
        for table in draw.sample(sorted(RECORDS), 2):
            current[selection, table] = rows(table, draw.randint(0, 3))
            at.tables.put(table, {"part": [row for _, row in current[selection, table]]})
        if at.tables.version(table) is not None and draw.random() < 0.6:
            at.release(f"v{step}", str(step))
            named |= {ref for (s, _), own in current.items() if s == selection for ref, _ in own}
    released = {release.selection for release in catalog.open(root).releases()}
    for (selection, _), own in current.items():
        if selection in released or selection == catalog.open(root).selection.name:
            named |= {ref for ref, _ in own}
    age(root)
    collect(storage)
    assert media(storage) == named


@pytest.mark.parametrize("kind", ["s3_uri", "lakefs_uri"])
def test_elsewhere_than_in_a_folder(kind: str, request: pytest.FixtureRequest):
    made = two_sources.write(request.getfixturevalue(kind))
    storage = open_storage(made.uri)
    before, rows = media(storage), shown(made.uri, "v1")
    assert collect(storage, older_than=24).media == 0
    done = collect(storage, older_than=-1)  # the servers' clock may differ
    refused = {
        hashlib.sha256(f"an edit of {name}.mp4 that no row names".encode()).hexdigest()
        for name in ("first", "second")
    }
    assert {ref for ref in before if ref.split("/")[2][:64] in refused} == before - media(storage)
    assert (done.media, done.selections) == (2, [])
    assert shown(made.uri, "v1") == rows
