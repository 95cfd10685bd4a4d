"""The tables: merging, versions, growth, and many writers at once."""

import dataclasses
import errno
import multiprocessing
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from catalog import records, tables
from catalog.delta import contention, writing
from catalog.delta.table import StoredTable
from catalog.errors import EditmillError
from catalog.records import Clip, Failure, ModelRow, Track
from catalog.tables import Tables
from tests.parts import by_key


def failure(name: str, message: str = "") -> Failure:
    return Failure(name, "edit", f"pair {name}", "model_error", message)


def ids(at: Tables, table: str = "failures", version: int | None = None) -> list[str]:
    return sorted(at.scan(table, version).collect()[records.key_column(table)])


def test_a_part_holds_exactly_what_was_put_last(tmp_path):
    at = Tables(tmp_path)
    assert at.put("failures", {"x": [failure("a"), failure("b")], "y": [failure("z")]}) == 3
    assert at.put("failures", {"x": [failure("b", "new"), failure("c")]}) == 2
    assert sorted(at.records("failures"), key=lambda f: f.failure_id) == [
        failure("b", "new"),
        failure("c"),
        failure("z"),
    ]
    assert at.put("failures", {"x": []}) == 0
    assert ids(at) == ["z"]
    assert at.parts("failures") == {"y"}
    assert at.put("failures", {"x": [failure("c")]}) == 1  # and it can come back
    assert ids(at) == ["c", "z"]


def test_putting_the_same_again_makes_no_version_and_reads_no_row(tmp_path):
    track = Track("t", "c", "car", 0.5, "media/ab/m.mkv", 0, 1, [0.1, 0.2], 0.3, [1.0] * 8)
    model = ModelRow("m@1", "m", "1", "MIT", "", {"auc": None, "by": {"b": 1, "a": 2}})
    clip = Clip("c", "s", "u", "CC0", "media/ab/c.mp4", 0, 2, 25.0, 96, 80)
    for table, record in ("tracks", track), ("models", model), ("clips", clip):
        at = Tables(tmp_path)
        assert at.put(table, {"x": [record]}) == 1
        version = at.version(table)
        assert at.put(table, {"x": [record]}) == 0
        assert Tables(tmp_path).put(table, {"x": [record], "y": []}) == 0
        assert at.put(table, {}) == 0
        assert at.version(table) == version
        assert at.records(table) == [record]


def test_what_follows_from_other_columns_is_no_change(tmp_path):
    at = Tables(tmp_path)

    def saying(text: str):
        return lambda rows: rows.with_columns(message=pl.lit(text))

    assert at.put("failures", {"x": [failure("a")]}, derive=saying("one")) == 1
    assert at.put("failures", {"x": [failure("a")]}, derive=saying("two")) == 0
    assert at.put("failures", {"x": [failure("a")], "y": [failure("b")]}, saying("two")) == 1
    assert {f.failure_id: f.message for f in at.records("failures")} == {"a": "one", "b": "two"}


def test_of_one_key_the_last_counts(tmp_path):
    at = Tables(tmp_path)
    assert at.put("failures", {"x": [failure("a", "1"), failure("a", "2")]}) == 1
    assert at.records("failures") == [failure("a", "2")]


def test_drop(tmp_path):
    at = Tables(tmp_path)
    assert at.drop("failures", ["a"]) == 0
    at.put("failures", by_key(failure(name) for name in ("a", "b", "c'); --")))
    assert at.drop("failures", ["a", "c'); --", "none"]) == 2
    assert ids(at) == ["b"]
    version = at.version("failures")
    assert at.drop("failures", ["none", "a"]) == 0
    assert at.version("failures") == version
    assert at.parts("failures") == {"b"}


def test_selections_do_not_see_each_other(tmp_path):
    one, other = Tables(tmp_path, "one"), Tables(tmp_path, "other")
    one.put("failures", by_key([failure("a")]))
    other.put("failures", by_key([failure("b")]))
    assert (ids(one), ids(other)) == (["a"], ["b"])
    model = ModelRow("m@1", "m", "1", "MIT", "", {})
    one.put("trained", by_key([model]))
    assert other.records("trained") == [model]  # the whole catalog's


def test_parts_of_another_build_can_be_left_out(tmp_path):
    at = Tables(tmp_path)
    at.put("failures", by_key([failure("a"), failure("b")]))
    pinned = Tables(tmp_path, pinned={"failures": at.version("failures")}, without=["b"])
    assert ids(pinned) == ["a"]


def test_a_part_written_before_a_checkpoint_is_known_after_it(tmp_path):
    at = Tables(tmp_path)
    for n in range(105):  # Delta writes a checkpoint every 100 commits
        at.put("failures", {f"p{n}": [failure(str(n))]})
    assert list((tmp_path / "tables" / "failures" / "_delta_log").glob("*.checkpoint.parquet"))
    version, fresh = at.version("failures"), Tables(tmp_path)
    assert fresh.put("failures", {f"p{n}": [failure(str(n))] for n in range(105)}) == 0
    assert fresh.version("failures") == version
    assert fresh.parts("failures") == {f"p{n}" for n in range(105)}


def test_small_files_are_joined_by_themselves(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "MANY_FILES", 8)
    monkeypatch.setattr(writing, "LOOKED_AT_EVERY", 2)
    at = Tables(tmp_path)
    for n in range(30):
        at.put("failures", {f"p{n}": [failure(str(n))]})
    delta = DeltaTable(str(tmp_path / "tables" / "failures"))
    assert len(delta.file_uris()) < 8
    assert len(ids(at)) == 30
    assert at.put("failures", {"p3": [failure("3", "changed")]}) == 1
    assert len(ids(at)) == 30


def test_joined_files_and_their_groups_stay_small(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "MANY_FILES", 8)
    monkeypatch.setattr(writing, "LOOKED_AT_EVERY", 2)
    monkeypatch.setattr(writing, "JOINED_BYTES", 60_000)
    monkeypatch.setattr(writing, "JOINED_GROUP_BYTES", 25_000)
    at, dice = Tables(tmp_path), random.Random(1)
    for n in range(40):  # of some 12 kB each, which cannot be pressed
        at.put("failures", {f"p{n}": [failure(str(n), dice.randbytes(2000).hex())]})
    delta = DeltaTable(str(tmp_path / "tables" / "failures"))
    sizes = pl.DataFrame(delta.get_add_actions())["size_bytes"]
    assert len(sizes) < 20 and sizes.max() <= 60_000
    assert (sizes > 30_000).sum() >= 4 and (sizes <= 30_000).sum() < 10
    joined = [pq.ParquetFile(f).metadata for f in delta.file_uris()]
    groups = [each.row_group(k).num_rows for each in joined for k in range(each.num_row_groups)]
    assert max(groups) <= 3 and len(groups) > len(joined)
    assert len(ids(at)) == 40


def test_a_commit_reads_no_row(tmp_path, monkeypatch):
    at = Tables(tmp_path)
    at.put("failures", {"x": [failure("a")]})
    for data in (tmp_path / "tables" / "failures").glob("*.parquet"):
        whole = data.read_bytes()
        data.write_bytes(whole[:20] + bytes(280) + whole[300:])  # the footer stays whole
    assert at.put("failures", {"x": [failure("a")], "y": [failure("b")]}) == 1
    with pytest.raises(EditmillError, match="cannot be read"):
        at.find_damage("failures")


def test_a_table_that_is_not_there_is_empty(tmp_path):
    at = Tables(tmp_path)
    frame = at.scan("clips").collect()
    assert frame.shape == (0, len(dataclasses.fields(Clip)))
    assert frame.schema == records.schema(Clip)
    assert at.version("clips") is None
    with pytest.raises(EditmillError, match="the tables are sources, clips"):
        at.scan("clip")


def test_old_versions_stay_as_they_were(tmp_path):
    at = Tables(tmp_path)
    at.put("failures", by_key([failure("a", "old")]))
    first = at.version("failures")
    at.put("failures", by_key([failure("a", "new"), failure("b")]))
    at.drop("failures", ["b"])
    assert at.scan("failures", first).collect()["message"].to_list() == ["old"]
    assert at.scan("failures").collect()["message"].to_list() == ["new"]


def test_a_new_field_becomes_a_column(tmp_path, monkeypatch):
    @dataclasses.dataclass(frozen=True, slots=True)
    class Grown(Failure):
        seconds: float | None = None
        params: dict[str, Any] = dataclasses.field(default_factory=dict)

    at = Tables(tmp_path)
    at.put("failures", by_key([failure("a"), failure("b")]))
    before = at.version("failures")
    monkeypatch.setitem(records.TABLES, "failures", Grown)
    assert at.scan("failures").collect()["seconds"].to_list() == [None, None]
    new = Grown("c", "edit", "pair c", "slow", "", 1.5, {"x": 1})
    changed = Grown("b", "edit", "pair b", "slow", "", 2.5)
    assert at.put("failures", by_key([new, changed])) == 2
    assert at.put("failures", by_key([new, changed])) == 0
    rows = {row.failure_id: row for row in at.records("failures")}
    assert rows == {
        "a": Grown("a", "edit", "pair a", "model_error", ""),
        "b": changed,
        "c": new,
    }
    old = at.scan("failures", before).collect()
    assert old["seconds"].to_list() == [None, None] and old["seconds"].dtype == pl.Float64
    # And older code still reads and writes the grown table.
    monkeypatch.setitem(records.TABLES, "failures", Failure)
    assert at.put("failures", by_key([failure("d")])) == 1
    assert at.scan("failures").filter(pl.col("failure_id") == "c").collect()["seconds"][0] == 1.5


def _append(root: Path, writer: int) -> None:
    at = Tables(root)
    for n in range(4):
        at.put("failures", by_key([failure(f"{writer}-{n}-{k}") for k in range(3)]))
        at.put("failures", by_key([failure("shared")]))


def test_four_processes_at_once_lose_nothing(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_append, args=(tmp_path, n)) for n in range(4)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
    assert [process.exitcode for process in writers] == [0] * 4
    expected = {f"{w}-{n}-{k}" for w in range(4) for n in range(4) for k in range(3)} | {"shared"}
    assert ids(Tables(tmp_path)) == sorted(expected)


def test_threads_at_once_lose_nothing(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: _append(tmp_path, n), range(4)))
    assert len(ids(Tables(tmp_path))) == 4 * 4 * 3 + 1


def test_commits_are_never_forgotten(tmp_path):
    """Delta drops commits after 30 days by default; a release must outlive that."""
    at = Tables(tmp_path)
    at.put("failures", by_key([failure("a")]))
    settings = DeltaTable(str(tmp_path / "tables" / "failures")).metadata().configuration
    assert settings["delta.enableExpiredLogCleanup"] == "false"


def test_versions_outlive_checkpoints(tmp_path):
    at = Tables(tmp_path)
    for n in range(105):  # Delta writes a checkpoint every 100 commits
        at.put("failures", by_key([failure("a", str(n))]))
    log = tmp_path / "tables" / "failures" / "_delta_log"
    assert list(log.glob("*.checkpoint.parquet"))
    assert at.scan("failures", 1).collect()["message"].to_list() == ["0"]


def test_compact_keeps_what_a_release_pins(tmp_path):
    at = Tables(tmp_path)
    for n in range(6):
        at.put("failures", by_key([failure(str(n))]))
        at.put("failures", by_key([failure("same", str(n))]))
    pinned = 5
    rows = at.scan("failures", pinned).collect()
    newest = at.scan("failures").collect().sort("failure_id")
    files = set((tmp_path / "tables" / "failures").glob("*.parquet"))
    at.compact({"failures": [pinned]}, keep_hours=0)
    left = set((tmp_path / "tables" / "failures").glob("*.parquet"))
    assert files - left, "nothing was removed"
    assert at.scan("failures", pinned).collect().equals(rows)
    assert at.scan("failures").collect().sort("failure_id").equals(newest)


def test_pinned_tables_are_read_only(tmp_path):
    at = Tables(tmp_path)
    at.put("failures", by_key([failure("a")]))
    version = at.version("failures")
    at.put("failures", by_key([failure("b")]))
    pinned = Tables(tmp_path, pinned={"failures": version})
    assert ids(pinned) == ["a"]
    assert pinned.version("failures") == version
    assert pinned.scan("clips").collect().is_empty()
    for write in (
        lambda: pinned.put("failures", by_key([failure("c")])),
        lambda: pinned.drop("failures", ["a"]),
        lambda: pinned.compact({}),
    ):
        with pytest.raises(EditmillError, match="'main'"):
            write()


def test_a_writer_that_always_loses_gives_up(tmp_path, monkeypatch):
    at = Tables(tmp_path)
    at.put("failures", by_key([failure("a")]))

    def lose(*_args: object, **_kwargs: object) -> None:
        raise CommitFailedError("somebody was first")

    monkeypatch.setattr(writing, "write_deltalake", lose)
    monkeypatch.setattr(contention, "LONGEST_PAUSE", 0.0)
    with pytest.raises(EditmillError, match="other writers came first"):
        at.put("failures", by_key([failure("b")]))


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "tables").write_bytes(b"")
    with pytest.raises(EditmillError, match="is no folder") as caught:
        Tables(tmp_path).put("failures", by_key([failure("a")]))
    assert "\n" not in str(caught.value)


def test_a_version_that_is_not_there(tmp_path):
    at = Tables(tmp_path)
    at.put("clips", by_key([Clip("c", "s", "u", "CC0", "v", 0, 2, 25.0, 96, 80)]))
    with pytest.raises(EditmillError, match="version 99"):
        at.scan("clips", 99)


def test_rows_are_removed_by_what_they_say(tmp_path):
    at = Tables(tmp_path)
    rows = {"p": [failure("a"), failure("b")], "q": [failure("c")]}
    at.put("failures", rows)
    assert at.remove("failures", pl.col("failure_id").is_in(["a", "c"])) == 2
    assert [row.failure_id for row in at.records("failures")] == ["b"]
    assert at.parts("failures") == {"p"}
    assert at.remove("failures", pl.col("failure_id") == "a") == 0
    assert Tables(tmp_path).put("failures", rows) == 3  # nobody takes the parts for whole
    assert Tables(tmp_path).remove("failures", pl.col(tables.PART) == "p") == 2
    assert [row.failure_id for row in at.records("failures")] == ["c"]


def test_many_rows_are_removed_in_several_commits(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "REMOVED_AT_ONCE", 2)
    at = Tables(tmp_path)
    at.put("failures", {"p": [failure(name) for name in "abcde"]})
    assert at.remove("failures", pl.col("failure_id") != "e") == 4
    assert [row.failure_id for row in at.records("failures")] == ["e"]


@pytest.mark.parametrize("name", ["a b", "ä#?&", "50%", "it's {x}"])
def test_a_folder_may_have_any_name(tmp_path, name):
    at = Tables(tmp_path / name)
    for message in ("one", "two"):
        at.put("failures", by_key([failure("a", message), failure(message)]))
    assert at.scan("failures").filter(pl.col("failure_id") == "a").collect()["message"][0] == "two"
    assert Tables(tmp_path / name).parts("failures") == {"a", "one", "two"}
    assert (tmp_path / name / "tables" / "failures").is_dir()


@pytest.mark.parametrize("name", ["a%20b", "a[b]", "a^b"])
def test_a_name_that_delta_cannot_take_is_refused(tmp_path, name):
    with pytest.raises(EditmillError, match="choose another"):
        Tables(tmp_path / name).put("failures", by_key([failure("a")]))


def test_of_two_writers_that_make_a_table_at_once_one_writes_a_part(tmp_path, monkeypatch):
    second = Tables(tmp_path)
    create = StoredTable.create

    def after_another(table, columns):
        monkeypatch.setattr(StoredTable, "create", create)
        Tables(tmp_path).put("failures", {"x": [failure("a")]})
        return create(table, columns)

    monkeypatch.setattr(StoredTable, "create", after_another)
    assert second.put("failures", {"x": [failure("a")]}) == 0
    assert second.put("failures", {"y": [failure("b")]}) == 1
    assert ids(second) == ["a", "b"]


@pytest.mark.parametrize(("table", "part", "record", "said"), [
    ("failures", "x", failure("a", "half \ud83d"), "message of 'a' holds half a character"),
    ("failures", "file\udce9", failure("a"), "part of 'a' holds half a character"),
])  # fmt: skip
def test_a_text_that_is_none_is_one_line(tmp_path, table, part, record, said):
    with pytest.raises(EditmillError, match=said) as caught:
        Tables(tmp_path).put(table, {part: [record]})
    assert "\n" not in str(caught.value)
    str(caught.value).encode()  # it can be printed


def rewritten(root: Path, table: str, column: str, kind: Any) -> Tables:
    """The table as a version of editmill wrote it for which the column was of another type."""
    folder = str(root / "tables" / table)
    frame = pl.read_delta(folder).with_columns(pl.col(column).cast(kind))
    write_deltalake(folder, frame, mode="overwrite", schema_mode="overwrite")
    return Tables(root)


def test_a_column_of_another_type_is_one_line(tmp_path):
    clip = Clip("c", "s", "u", "CC0", "media/ab/c.mp4", 0, 2, 25.0, 96, 80)
    Tables(tmp_path).put("clips", {"c": [clip]})
    at = rewritten(tmp_path, "clips", "height", pl.String)
    other = dataclasses.replace(clip, clip_id="d")
    for use in (lambda: at.scan("clips"), lambda: at.put("clips", {"d": [other]})):
        with pytest.raises(EditmillError, match="column height holds String") as caught:
            use()
        assert "\n" not in str(caught.value)


def test_whole_numbers_are_read_as_fractions(tmp_path):
    clip = Clip("c", "s", "u", "CC0", "media/ab/c.mp4", 0, 2, 25.0, 96, 80)
    Tables(tmp_path).put("clips", {"c": [clip]})
    at = rewritten(tmp_path, "clips", "fps", pl.Int64)
    assert at.records("clips") == [clip]
    with pytest.raises(EditmillError, match="column fps holds Int64"):  # 23.98 would become 23
        at.put("clips", {"d": [dataclasses.replace(clip, clip_id="d", fps=23.98)]})


def test_a_folder_that_takes_no_files_is_told_before_delta_panics(tmp_path, monkeypatch):
    at = Tables(tmp_path)
    at.put("failures", by_key([failure("a")]))

    def denied(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(Path, "touch", denied)
    for write in (
        lambda: at.compact({}),
        lambda: at.put("failures", by_key([failure("b")])),
        lambda: at.drop("failures", at.parts("failures")),
        lambda: at.remove("failures", pl.lit(True)),
    ):
        with pytest.raises(EditmillError, match=r"tables/failures: cannot be written: permission"):
            write()
    assert at.put("failures", by_key([failure("a")])) == 0  # nothing is new, so nothing is written
