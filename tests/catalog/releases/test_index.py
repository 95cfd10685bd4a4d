"""Releases are found by what they hold, and none is read without need."""

import json

import pytest

import catalog
from catalog.errors import EditmillError
from catalog.policy import Policy
from catalog.records import Clip
from catalog.releases import Catalog, index
from catalog.storage.folder import FolderStorage


def clip(name: str) -> Clip:
    return Clip(name, "s", "u", "CC0", f"media/ab/{name}.mp4", 0, 33, 25.0, 592, 336)


@pytest.fixture
def at(tmp_path) -> Catalog:
    made = catalog.open(tmp_path, create=True).select("one", "{}", Policy(), "1")
    made.become_main()
    return made


def released(at: Catalog, number: int) -> None:
    at.tables.put("clips", {f"c{number}": [clip(f"c{number}")]})
    at.release(f"v{number}", "recipe")


def test_what_a_release_reads_does_not_grow_with_releases(at, monkeypatch):
    read = []
    once = FolderStorage.read
    monkeypatch.setattr(
        FolderStorage, "read", lambda self, key: read.append(key) or once(self, key)
    )
    reads = {}
    for number in range(1, 13):
        at.tables.put("clips", {f"c{number}": [clip(f"c{number}")]})
        read.clear()
        at.release(f"v{number}", "recipe")
        reads[number] = len(read)
    assert reads[12] == reads[2]
    assert [key for key in read if key.startswith("releases/")] == [
        "releases/v12.json", "releases/v11.json",
    ]  # fmt: skip


def test_the_same_is_found_whichever_was_made_last(at):
    released(at, 1)
    released(at, 2)
    first = catalog.open(at.root, "v1")
    strict = Policy(off=("quality",))
    decided = first.decide("s1", strict)
    catalog.open(at.root, "v2").decide("s2", strict)
    assert first.decide("s3", strict) == decided
    assert at.release("v3", "recipe").tag == "v2"


def test_releases_of_before_there_was_an_index_are_found(at):
    released(at, 1)
    released(at, 2)
    at.storage.delete([each.key for each in at.storage.list(index.FOLDER)])
    assert at.release("v3", "recipe").tag == "v2"
    assert [each.tag for each in index.entries(at.storage)] == ["v1", "v2"]
    released(at, 3)
    assert [each.number for each in at.releases()] == [1, 2, 3]


def test_a_release_that_was_removed_is_not_found(at):
    released(at, 1)
    at.storage.delete(["releases/v1.json"])
    assert at.release("v2", "recipe").tag == "v2"


def test_a_tag_that_was_removed_may_be_given_to_other_content(at):
    released(at, 1)
    at.storage.delete(["releases/v1.json"])
    at.release("kept", "recipe")
    at.tables.put("clips", {"z": [clip("z")]})
    at.release("v1", "recipe")
    at.tables.put("clips", {"z": []})
    assert at.release("v2", "recipe").tag == "v2"
    assert [each.tag for each in at.releases()] == ["kept", "v1", "v2"]


def test_a_release_that_was_stopped_is_found_where_another_had_its_tag(at, monkeypatch):
    for number in (1, 2, 3):
        released(at, number)
    at.storage.delete(["releases/v2.json"])
    at.tables.put("clips", {"z": [clip("z")]})

    def stopped(*of):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(index, "add", stopped)
        at.release("v2", "recipe")
    newest = [(each.number, each.tag) for each in at.newest_releases()]
    assert newest == [(4, "v2"), (3, "v3"), (1, "v1")]
    assert at.release("v5", "recipe").tag == "v2"


def test_keys_that_may_only_read_find_releases_beside_a_stale_index(at, monkeypatch):
    for number in (1, 2, 3):
        released(at, number)
    at.storage.delete(["releases/v1.json"])  # its entry is stale
    (entry,) = (each.key for each in at.storage.list(index.FOLDER) if each.key.endswith("v2"))
    at.storage.delete([entry])  # and this one lacks

    def denied(*of):
        raise EditmillError("access denied")

    with monkeypatch.context() as patched:
        patched.setattr(FolderStorage, "create", denied)
        patched.setattr(FolderStorage, "delete", denied)
        assert [each.tag for each in at.newest_releases()] == ["v3", "v2"]
    assert [each.tag for each in index.entries(at.storage)] == ["v2", "v3"]
    assert len(list(at.storage.list(index.FOLDER))) == 2


def test_the_newest_releases_are_read_first_and_no_others(at, monkeypatch):
    for number in range(1, 13):
        released(at, number)
    read = []
    monkeypatch.setattr(index, "release_of", lambda storage, tag: read.append(tag))
    assert next(at.newest_releases(), None) is None  # as if all were gone meanwhile
    assert read == [f"v{number}" for number in range(12, 0, -1)]
    monkeypatch.undo()
    assert [each.tag for each in at.newest_releases()] == read
    first = at.newest_releases()
    assert next(first).tag == "v12"
    at.storage.delete(["releases/v1.json"])
    assert [each.tag for each in first] == read[1:-1]


def test_releases_of_before_there_were_numbers_come_last(at):
    for number in range(1, 4):
        released(at, number)
    for tag, when in (("v1", "2020"), ("v2", "2019")):
        document = json.loads(at.storage.read(f"releases/{tag}.json"))
        document |= {"created_at": when}
        del document["number"]
        at.storage.write(f"releases/{tag}.json", json.dumps(document).encode())
    at.storage.delete([each.key for each in at.storage.list(index.FOLDER)])
    assert [each.tag for each in at.newest_releases()] == ["v3", "v1", "v2"]


def test_a_release_that_was_made_again_comes_once(at):
    released(at, 1)
    released(at, 2)
    at.storage.delete(["releases/v1.json"])
    at.tables.put("clips", {"z": [clip("z")]})
    at.release("v1", "recipe")
    assert [(each.number, each.tag) for each in at.newest_releases()] == [(3, "v1"), (2, "v2")]


def test_of_releases_that_share_a_number_the_later_one_comes_first(at):
    at.tables.put("clips", {"a": [clip("a")]})
    for tag in ("base", "late", "early"):
        at.release(tag, recipe=tag)
    for tag, when in (("early", "2021"), ("late", "2022")):
        document = json.loads(at.storage.read(f"releases/{tag}.json"))
        document |= {"created_at": when, "number": 2}
        at.storage.write(f"releases/{tag}.json", json.dumps(document).encode())
    at.storage.delete([each.key for each in at.storage.list(index.FOLDER)])
    assert [each.tag for each in at.releases()] == ["base", "early", "late"]
    assert [each.tag for each in at.newest_releases()] == ["late", "early", "base"]
    document |= {"created_at": "2020"}
    at.storage.write("releases/late.json", json.dumps(document).encode())
    assert [each.tag for each in at.newest_releases()] == ["early", "late", "base"]
