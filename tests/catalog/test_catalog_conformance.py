"""A catalog is the same in a folder, in a bucket and on a lakeFS branch."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import catalog
from catalog.diff.tables import TableDiff
from catalog.errors import EditmillError
from catalog.policy import Policy
from catalog.records import Clip, ModelRow, Release
from catalog.releases import Catalog, index, publishing
from catalog.releases.counts import count
from catalog.storage import open_storage
from catalog.storage.location import Storage
from tests.catalog import writers
from tests.catalog.writers import POLICY, clip, selected
from tests.editmill.small_catalog import make_pair
from tests.parts import by_key

ROOT = Path(__file__).parents[2]
TASK = "global_style_transfer"


@pytest.fixture
def elsewhere(
    storage_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Catalog]:
    """`elsewhere("v1")`: the catalog at that ref on a machine that has no local copies."""

    def at(ref: str = "main") -> Catalog:
        monkeypatch.setenv("EDITMILL_STORAGE_CACHE", str(tmp_path / "other machine"))
        return catalog.open(storage_uri, ref=ref)

    return at


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.catalog.writers", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def captions(at: Catalog) -> dict[str, str]:
    return dict(at.clips().select("clip_id", "caption").sort("clip_id").collect().iter_rows())


def verdicts(at: Catalog) -> dict[str, tuple[bool, str]]:
    rows = at.pairs().select("instruction", "keep", "reason").collect().iter_rows()
    return {name: (keep, reason) for name, keep, reason in rows}


def pairs_scored(at: Catalog, scores: dict[str, float]) -> None:
    """Puts pairs with these quality scores; the instruction is their name."""
    made = [
        make_pair(TASK, "media/ab/a.mp4", "media/ab/b.mp4", instruction=name, quality_score=score,
                  subtle_score=None)
        for name, score in scores.items()
    ]  # fmt: skip
    assert at.policy is not None
    at.tables.put("pairs", by_key(made), derive=at.policy.decide)


def test_it_is_made_and_opened(storage_uri: str, elsewhere) -> None:
    with pytest.raises(EditmillError, match="is not a catalog"):
        catalog.open(storage_uri)
    made = catalog.open(storage_uri, create=True)
    assert elsewhere().releases() == []
    assert elsewhere().pairs().collect().is_empty()
    assert catalog.open(storage_uri, create=True).uri == made.uri == elsewhere().uri
    with pytest.raises(EditmillError, match="there are main"):
        elsewhere("v1")


def test_rows_are_appended_once(storage_uri: str, elsewhere) -> None:
    at = selected(storage_uri)
    assert at.tables.put("clips", by_key([clip("a"), clip("b")])) == 2
    assert at.tables.put("clips", by_key([clip("b"), clip("c")])) == 1
    version = at.tables.version("clips")
    again = selected(storage_uri)  # a build that begins anew
    assert again.tables.put("clips", by_key([clip("c"), clip("a")])) == 0
    assert again.tables.put("clips", by_key([clip("a", caption="new")])) == 1
    assert again.tables.drop("clips", ["b"]) == 1
    assert captions(elsewhere()) == {"a": "new", "c": ""}
    assert elsewhere().tables.parts("clips") == {"a", "c"}
    old = elsewhere().tables.scan("clips", version).collect()
    assert sorted(old["clip_id"]) == ["a", "b", "c"]


def test_media_are_read_where_they_were_not_made(storage_uri: str, elsewhere) -> None:
    at = selected(storage_uri)
    with at.media.writing(".mp4") as video:
        video.path.write_bytes(b"frames")
    at.media.flush()
    at.tables.put("clips", by_key([clip("a", video.ref)]))
    assert elsewhere().path(video.ref).read_bytes() == b"frames"


def test_recipes_do_not_see_each_other(storage_uri: str, elsewhere) -> None:
    one = selected(storage_uri, "one")
    one.tables.put("clips", by_key([clip("a")]))
    one.release("of-one", "one")
    other = selected(storage_uri, "other")
    assert captions(elsewhere()) == {}  # main is the newest build's
    other.tables.put("clips", by_key([clip("b")]))
    other.release("of-other", "other")
    one.tables.put("clips", by_key([clip("c")]))  # the first is still at work
    assert captions(elsewhere()) == captions(elsewhere("of-other")) == {"b": ""}
    assert captions(elsewhere("of-one")) == {"a": ""}
    assert captions(selected(storage_uri, "one")) == {"a": "", "c": ""}
    assert elsewhere("of-other").diff("of-one")["clips"] == TableDiff(["b"], ["a"], [])


def test_a_release_stays_as_it_was(storage_uri: str, elsewhere) -> None:
    at = selected(storage_uri)
    with pytest.raises(EditmillError, match="nothing to release"):
        at.release("v1", "")
    at.tables.put("clips", by_key([clip("a"), clip("b")]))
    first = at.release("v1", "tiny", "the first", code="1.0", models={"m@1": {"licence": "MIT"}})
    assert at.release("v2", "tiny") == first  # nothing changed since
    at.tables.put("clips", by_key([clip("a", caption="new"), clip("c")]))
    at.tables.drop("clips", ["b"])
    at.release("v2", "tiny")
    then = elsewhere("v1")
    assert elsewhere().releases()[0] == first
    assert captions(then) == {"a": "", "b": ""}
    assert captions(elsewhere("v2")) == captions(elsewhere()) == {"a": "new", "c": ""}
    assert elsewhere("v2").diff("v1")["clips"] == TableDiff(["c"], ["b"], ["a"])
    assert elsewhere("v1").diff("v2")["clips"] == TableDiff(["b"], ["c"], ["a"])
    assert not any(elsewhere("main").diff("v2").values())
    for write in (
        lambda: then.tables.put("clips", by_key([clip("z")])),
        lambda: then.release("v3", ""),
        lambda: then.products,
    ):
        with pytest.raises(EditmillError, match="'main'"):
            write()


def test_a_tag_is_taken_by_one(
    storage_uri: str, elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = selected(storage_uri)
    at.tables.put("clips", by_key([clip("a")]))
    first = at.release("v1", "")
    at.tables.put("clips", by_key([clip("b")]))
    with pytest.raises(EditmillError, match="taken by other content"):
        at.release("v1", "")
    monkeypatch.setattr(publishing, "release_of", lambda *_: None)  # the other came meanwhile
    with pytest.raises(EditmillError, match=r"taken by another build|has a tag v1 already"):
        at.release("v1", "")
    assert elsewhere().releases() == [first]


def test_a_release_that_another_makes_at_once_is_one(
    storage_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = selected(storage_uri)
    at.tables.put("clips", by_key([clip("a")]))
    made = list[Release]()
    with monkeypatch.context() as patched:

        def meanwhile(storage: Storage) -> list[index.Entry]:
            patched.undo()
            known = index.entries(storage)
            made.append(catalog.open(storage_uri).release("v1", ""))
            return known

        patched.setattr(index, "entries", meanwhile)
        assert at.release("v1", "") == made[0]
    assert catalog.open(storage_uri).releases() == made


def test_joining_files_and_removing_old_ones_leaves_releases(storage_uri: str, elsewhere) -> None:
    at = selected(storage_uri)
    for number in range(4):
        at.tables.put(
            "clips", {str(number): [clip(f"{number}")], "x": [clip("x", caption=f"{number}")]}
        )
    release = at.release("v1", "")
    at.tables.put("clips", {"x": [clip("x", caption="later")]})
    files = _data(at)
    at.tables.compact({"clips": [release.tables["clips"]]}, keep_hours=0)
    assert files - _data(at), "nothing was removed"
    assert captions(elsewhere("v1")) == {"0": "", "1": "", "2": "", "3": "", "x": "3"}
    assert captions(elsewhere())["x"] == "later"
    assert not any(elsewhere("main").diff("main").values())


def _data(at: Catalog) -> set[str]:
    return {each.key for each in at.storage.list("tables") if each.key.endswith(".parquet")}


def test_a_release_reads_no_pair_that_was_released(storage_uri: str, elsewhere) -> None:
    at = selected(storage_uri)
    pairs_scored(at, {"good": 0.9, "bad": 0.1})
    at.release("v1")
    old = {key: at.storage.read(key) for key in _data(at)}
    pairs_scored(at, {"new": 0.8})
    at.storage.delete(old)
    release = at.release("v2")
    for key, data in old.items():
        assert data is not None
        at.storage.write(key, data)
    assert release.counts["tasks"] == {TASK: {"made": 3, "kept": 2}}
    assert count(elsewhere("v2")) == elsewhere("v2").counts() == release.counts


def test_deciding_anew_moves_no_row(storage_uri: str, elsewhere) -> None:
    at = selected(storage_uri)
    pairs_scored(at, {"good": 0.9, "fair": 0.6, "bad": 0.1})
    first = at.release("v1", at.selection.recipe)
    version = at.tables.version("pairs")
    assert first.counts["tasks"] == {TASK: {"made": 3, "kept": 2}}
    strict = elsewhere("v1").decide("strict", POLICY.changed({"quality": 0.7}), "only the best")
    assert strict.counts["tasks"] == {TASK: {"made": 3, "kept": 1}}
    assert (strict.tables, strict.recipe, strict.notes) == (
        first.tables, first.recipe, "only the best",
    )  # fmt: skip
    at.decide("all", Policy())
    failed, kept = (False, "edit_failed"), (True, "")
    assert verdicts(elsewhere("v1")) == {"good": kept, "fair": kept, "bad": failed}
    assert verdicts(elsewhere("strict")) == {"good": kept, "fair": failed, "bad": failed}
    assert set(verdicts(elsewhere("all")).values()) == {kept}
    assert verdicts(elsewhere()) == verdicts(elsewhere("v1"))
    assert elsewhere().tables.version("pairs") == version
    assert elsewhere("strict").diff("v1")["pairs"].counts == {
        "added": 0, "removed": 0, "changed": 1,
    }  # fmt: skip


def test_a_build_with_another_threshold_shows_its_own_verdicts(storage_uri: str, elsewhere) -> None:
    pairs_scored(selected(storage_uri), {"fair": 0.6, "bad": 0.1})
    selected(storage_uri).release("v1", "")
    strict = selected(storage_uri, policy=POLICY.changed({"quality": 0.7}))
    pairs_scored(strict, {"fair": 0.6, "bad": 0.1})
    strict.release("v2", "")
    for at in (elsewhere(), elsewhere("v2")):
        assert {keep for keep, _ in verdicts(at).values()} == {False}
    assert verdicts(elsewhere("v1"))["fair"] == (True, "")


def test_builds_with_other_thresholds_at_once_keep_their_own_verdicts(
    storage_uri: str, elsewhere
) -> None:
    mild = selected(storage_uri)
    strict = selected(storage_uri, policy=POLICY.changed({"quality": 0.7}))
    for build in (strict, mild):  # the second finds the first one's rows
        pairs_scored(build, {"fair": 0.6, "bad": 0.1})
    assert verdicts(mild)["fair"] == (True, "")
    mild.release("mild", "")
    strict.release("strict", "")
    assert verdicts(elsewhere("mild"))["fair"] == (True, "")
    assert verdicts(elsewhere("strict"))["fair"] == (False, "edit_failed")


def test_six_processes_append_at_once(storage_uri: str, elsewhere) -> None:
    process = started("append", storage_uri, "6")
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    expected = [
        f"{writer}-{shard}-{row}"
        for writer in range(6)
        for shard in range(writers.SHARDS)
        for row in range(writers.ROWS)
    ]
    at = elsewhere()
    assert at.clips().collect()["clip_id"].sort().to_list() == sorted([*expected, "shared"])
    assert at.tables.parts("clips") == {*expected, "shared"}
    version = at.tables.version("clips")
    writers.append(storage_uri, "3")  # all of it is there: nothing to write
    assert elsewhere().tables.version("clips") == version


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """The clips of a build that nobody killed."""
    root = str(tmp_path_factory.mktemp("undisturbed") / "catalog")
    writers.build(root)
    found = catalog.open(root, ref="v1").clips().sort("clip_id").collect()
    assert len(found) == writers.CLIPS
    return found


def test_killed_between_media_journal_and_commit(
    storage_uri: str, elsewhere, undisturbed: pl.DataFrame
) -> None:
    for where in ("journal 0", "commit 2", "release"):
        process = started("build", storage_uri)
        assert process.stdin is not None and process.stdout is not None
        while (said := process.stdout.readline().strip()) != where:
            assert said, f"it ended before {where}"
            process.stdin.write("\n")
            process.stdin.flush()
        process.kill()
        process.communicate()
        assert not list(open_storage(storage_uri).list("releases"))
    did: list[str] = []
    writers.build(storage_uri, did.append)
    assert not [what for what in did if what.startswith(("media", "journal"))]
    released = elsewhere("v1")
    assert released.clips().sort("clip_id").collect().equals(undisturbed)
    for number, row in enumerate(released.clips().sort("clip_id").collect().iter_rows(named=True)):
        assert Clip(**row) == clip(f"clip {number}", row["video"])
        assert released.path(row["video"]).read_bytes() == writers.content(number)
    assert len(list(released.storage.list("media"))) == writers.CLIPS


@pytest.mark.parametrize("damage", ["commit emptied", "commit lost", "data lost", "data cut"])
def test_a_damaged_table_is_named_and_never_shorter_in_silence(
    storage_uri: str, elsewhere, damage: str
) -> None:
    at = selected(storage_uri)
    for n in range(4):
        at.tables.put("clips", by_key([clip(f"c{n}")]))
    at.become_main()
    storage = open_storage(storage_uri)
    inside = [each.key for each in storage.list(f"tables/{at.selection.name}/clips")]
    what, how = damage.split()
    key = [k for k in inside if k.endswith(".json" if what == "commit" else ".parquet")][2]
    if how == "lost":
        storage.delete([key])
    else:
        storage.write(key, b"" if how == "emptied" else (storage.read(key) or b"")[:100])
    with pytest.raises(EditmillError, match="restore it from a copy") as caught:
        elsewhere().clips().collect()
    assert key in str(caught.value) and "\n" not in str(caught.value)


def test_what_a_build_has_not_finished_is_not_decided_anew(storage_uri: str, elsewhere) -> None:
    at = selected(storage_uri)
    pairs_scored(at, {"good": 0.9})
    with pytest.raises(RuntimeError), at.being_built():
        raise RuntimeError("killed")
    assert elsewhere().unfinished
    with pytest.raises(EditmillError, match="'main' is not finished"):
        elsewhere().decide("v1", POLICY)
    with at.being_built():  # the next one goes on, and ends
        pass
    assert not elsewhere().unfinished
    assert elsewhere().decide("v1", POLICY).counts["tables"]["pairs"] == 1


def test_builds_that_begin_at_once_all_add_their_policy(storage_uri: str, elsewhere) -> None:
    policies = [POLICY.changed({"quality": value}) for value in (0.1, 0.2, 0.3)]
    for policy in policies:
        selected(storage_uri, policy=policy)
    assert set(elsewhere().selection.decided_by) == {policy.key for policy in policies}


def test_a_table_that_lost_its_newest_commit_is_no_shorter_one(storage_uri: str, elsewhere) -> None:
    at = selected(storage_uri)
    for tag, name in (("v1", "a"), ("v2", "b")):
        at.tables.put("clips", by_key([clip(name)]))
        at.release(tag)
    storage = open_storage(storage_uri)
    log = f"tables/{at.selection.name}/clips/_delta_log"
    newest = [each.key for each in storage.list(log) if each.key.endswith(".json")][-1]
    storage.delete([newest])
    with pytest.raises(EditmillError, match="release"):
        elsewhere()


def test_what_a_removed_release_held_is_not_asked_for(storage_uri: str, elsewhere) -> None:
    at = selected(storage_uri)
    for tag, name in (("v1", "a"), ("v2", "b")):
        at.tables.put("clips", by_key([clip(name)]))
        at.release(tag)
    storage = open_storage(storage_uri)
    log = f"tables/{at.selection.name}/clips/_delta_log"
    newest = [each.key for each in storage.list(log) if each.key.endswith(".json")][-1]
    storage.delete([newest, "releases/v2.json"])
    assert elsewhere().clips().collect()["clip_id"].to_list() == ["a"]


def test_opening_reads_no_release_but_the_one_that_is_asked_for(
    storage_uri: str, elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = selected(storage_uri)
    for number in range(4):
        at.tables.put("clips", by_key([clip(f"c{number}")]))
        at.release(f"v{number}")
    read: list[str] = []
    storage = type(at.storage)
    once = storage.read
    monkeypatch.setattr(storage, "read", lambda self, key: read.append(key) or once(self, key))
    assert len(elsewhere().clips().collect()) == 4
    assert not [key for key in read if key.startswith("releases/")]
    assert len(elsewhere("v1").clips().collect()) == 2
    assert [key for key in read if key.startswith("releases/")] == ["releases/v1.json"]
    assert [each.tag for each in elsewhere().releases()] == ["v0", "v1", "v2", "v3"]


def test_a_file_of_somebody_else_among_the_releases_is_left_alone(storage_uri: str, elsewhere):
    at = selected(storage_uri)
    at.tables.put("clips", by_key([clip("a")]))
    at.release("v1")
    open_storage(storage_uri).write("releases/notes.txt", b"mine")
    assert [each.tag for each in elsewhere().releases()] == ["v1"]


def test_a_release_that_holds_trained_experts_is_no_damage(storage_uri: str, elsewhere) -> None:
    at = selected(storage_uri)
    at.tables.put("clips", by_key([clip("a")]))
    at.tables.put("trained", by_key([ModelRow("m@1", "m", "1", "MIT", "", {})]))
    at.release("v1")
    for ref in ("main", "v1"):
        assert elsewhere(ref).trained().collect()["model_id"].to_list() == ["m@1"]


def test_it_can_be_pickled(storage_uri: str, elsewhere) -> None:
    catalog.open(storage_uri, create=True).tables.put(
        "clips", by_key([clip("a", caption="a street")])
    )
    for opened in (elsewhere(), pickle.loads(pickle.dumps(elsewhere()))):
        assert captions(opened) == {"a": "a street"}  # what was read already is not pickled
        again = pickle.loads(pickle.dumps(opened))
        assert (again.uri, again.ref) == (opened.uri, "main")
        assert captions(again) == {"a": "a street"}
