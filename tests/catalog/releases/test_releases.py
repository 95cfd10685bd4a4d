"""Refs: opening, releasing, comparing."""

import dataclasses
import json

import pytest

import catalog
from catalog.diff.tables import TableDiff
from catalog.errors import EditmillError
from catalog.policy import Policy
from catalog.records import TABLES, Clip, Failure, ModelRow
from catalog.releases import catalog as versions
from catalog.releases import publishing
from catalog.tables import Tables
from tests.parts import by_key


def clip(name: str, caption: str = "") -> Clip:
    return Clip(name, "s", "u", "CC0", f"media/ab/{name}.mp4", 0, 33, 25.0, 592, 336, caption)


@pytest.fixture
def at(tmp_path):
    made = catalog.open(tmp_path / "set", create=True)
    for name in "ab":
        made.tables.put("clips", by_key([clip(name)]))
    return made


def test_open_makes_a_catalog_only_if_told(tmp_path):
    with pytest.raises(EditmillError, match="editmill build"):
        catalog.open(tmp_path / "set")
    made = catalog.open(tmp_path / "set", create=True)
    assert (made.root, made.ref) == (tmp_path / "set", "main")
    assert json.loads((tmp_path / "set" / "catalog.json").read_text()) == {"format": 2}
    assert catalog.open(tmp_path / "set").releases() == []


@pytest.mark.parametrize(
    ("content", "remedy"), [('{"format": 99}', "upgrade"), ("{", "restore"), ("[]", "restore")]
)
def test_a_catalog_of_another_kind(tmp_path, content, remedy):
    (tmp_path / "catalog.json").write_text(content)
    with pytest.raises(EditmillError, match=remedy):
        catalog.open(tmp_path)


def test_an_unwritable_place(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EditmillError, match="cannot be written") as caught:
        catalog.open(tmp_path / "file" / "set", create=True)
    assert "\n" not in str(caught.value)


def test_a_release_that_was_stopped_at_its_card_gets_it_with_the_next(at, monkeypatch):
    def stopped(*of):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(publishing.index, "add", stopped)
        at.release("v1")
    assert at.tags() == ["v1"]
    at.release("v2")
    assert at.tags() == ["v1"]
    assert (at.root / "cards" / "v1.md").read_text().startswith(f"# {at.uri} at v1")


def test_a_release_stays_as_it_was(at):
    released = at.release("v1", "recipe: demo", "first")
    at.tables.put("clips", by_key([clip("a", "changed"), clip("c")]))
    at.tables.put("failures", by_key([Failure("f", "edit", "r", "x", "")]))
    then = catalog.open(at.root, ref="v1")
    assert (then.ref, then.releases()) == ("v1", [released])
    assert sorted(then.clips().collect()["clip_id"]) == ["a", "b"]
    assert set(then.clips().collect()["caption"]) == {""}
    assert then.failures().collect().is_empty()
    assert len(catalog.open(at.root).clips().collect()) == 3


def test_a_release_is_read_only(at, tmp_path):
    at.release("v1", "")
    then = catalog.open(at.root, ref="v1")
    path = tmp_path / "x"
    path.write_bytes(b"")
    for write in (
        lambda: then.tables.put("clips", by_key([clip("z")])),
        lambda: then.release("v2", ""),
        lambda: then.products,
        lambda: then.media.add(path, ".mp4"),
        lambda: then.compact(),
    ):
        with pytest.raises(EditmillError, match="main"):
            write()


def test_without_a_change_the_release_is_the_one_there_is(at):
    first = at.release("v1", "recipe")
    assert at.release("v2", "recipe") == first
    assert at.release("v1", "recipe") == first
    at.compact()  # versions moved, rows did not
    assert at.tables.version("clips") > first.tables["clips"]
    assert at.release("v3", "recipe") == first
    assert at.release("v2", "another recipe").tag == "v2"
    at.tables.put("clips", by_key([clip("c")]))
    assert at.release("v3", "recipe").tag == "v3"
    assert [r.tag for r in at.releases()] == ["v1", "v2", "v3"]


def test_releases_are_in_their_order_whatever_the_clock_says(at, monkeypatch):
    at.release("z", "first")
    document = at.root / "releases" / "z.json"
    old = json.loads(document.read_text())
    del old["number"]  # as it was before there was one
    document.write_text(json.dumps(old))
    for year, tag in ((2019, "y"), (2018, "x"), (2030, "w"), (2017, "v")):
        monkeypatch.setattr(versions, "_now", lambda year=year: f"{year}-01-01T00:00:00.000+00:00")
        at.release(tag, tag)
    assert [each.tag for each in catalog.open(at.root).releases()] == ["z", "y", "x", "w", "v"]


def test_a_tag_is_never_moved(at):
    at.release("v1", "")
    at.tables.put("clips", by_key([clip("c")]))
    with pytest.raises(EditmillError, match="taken by other content"):
        at.release("v1", "")


def test_a_tag_taken_meanwhile(at, monkeypatch):
    at.release("v1", "")
    at.tables.put("clips", by_key([clip("c")]))
    monkeypatch.setattr(publishing, "release_of", lambda *_: None)
    with pytest.raises(EditmillError, match="taken by another build"):
        at.release("v1", "")


@pytest.mark.parametrize("tag", ["", "main", "a b", "../v1", "-v", "x" * 65, "v1\n"])
def test_names_that_are_no_tags(at, tag):
    with pytest.raises(EditmillError, match="no tag"):
        at.release(tag, "")


def test_nothing_to_release(tmp_path):
    with pytest.raises(EditmillError, match="nothing to release"):
        catalog.open(tmp_path, create=True).release("v1", "")


def test_an_unknown_ref_lists_the_known(at):
    at.release("v1", "")
    with pytest.raises(EditmillError, match="there are main, v1"):
        catalog.open(at.root, ref="v7")


def test_diff(at):
    at.release("v1", "")
    at.tables.put("clips", by_key([clip("a", "changed"), clip("c"), clip("d")]))
    at.tables.drop("clips", ["b"])
    at.tables.put("failures", by_key([Failure("f", "edit", "r", "x", "")]))
    changes = at.diff("v1")
    assert changes["clips"] == TableDiff(added=["c", "d"], removed=["b"], changed=["a"])
    assert changes["clips"].counts == {"added": 2, "removed": 1, "changed": 1}
    assert changes["failures"] == TableDiff(["f"], [], [])
    assert not changes["pairs"]
    assert catalog.open(at.storage, "v1").diff("main")["clips"] == TableDiff(
        ["b"], ["c", "d"], ["a"]
    )
    assert not any(catalog.open(at.storage, "v1").diff("v1").values())


def test_diff_over_a_column_that_came_later(at, monkeypatch):
    @dataclasses.dataclass(frozen=True, slots=True)
    class Grown(Clip):
        motion: float | None = None

    at.release("v1", "")
    monkeypatch.setitem(TABLES, "clips", Grown)
    at.tables.put("clips", by_key([Grown(**dataclasses.asdict(clip("a")), motion=0.5)]))
    assert at.diff("v1")["clips"] == TableDiff([], [], ["a"])


def test_compacting_leaves_releases(at):
    for n in range(5):
        at.tables.put("clips", by_key([clip("a", str(n))]))
    at.release("v1", "")
    at.tables.put("clips", by_key([clip("a", "later")]))
    at.compact()
    assert "4" in catalog.open(at.root, ref="v1").clips().collect()["caption"]
    assert not at.diff("main")["clips"]


def test_compacting_keeps_what_other_selections_releases_pin_of_shared_tables(at, monkeypatch):
    at.tables.put("trained", by_key([ModelRow("m@1", "m", "1", "MIT", "", {})]))
    at.release("v1", "recipe")
    other = at.select("other", "another recipe", Policy(), "1")
    other.tables.put("clips", by_key([clip("z")]))
    pins = {}
    monkeypatch.setattr(Tables, "compact", lambda self, given: pins.update(given))
    other.compact()
    assert pins == {"trained": [at.tables.version("trained")]}


def test_tags_are_told_without_reading_releases(tmp_path):
    dataset = catalog.open(tmp_path, create=True)
    dataset.tables.put("failures", {"a": [Failure("f", "edit", "pair", "slow", "")]})
    assert dataset.tags() == []
    dataset.release("v1", "{}")
    dataset.release("other", '{"name": "other"}')
    (tmp_path / "releases" / "v1.json").write_text("{")
    assert dataset.tags() == ["other", "v1"]
