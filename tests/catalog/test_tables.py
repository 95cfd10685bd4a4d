"""The tables: merging, versions, growth, and many writers at once."""

import dataclasses
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from catalog import records, tables
from catalog.errors import EditmillError
from catalog.records import Clip, Failure, ModelRow, Release, Track
from catalog.tables import Tables


def failure(name: str, message: str = "") -> Failure:
    return Failure(name, "edit", f"pair {name}", "model_error", message)


def ids(at: Tables, table: str = "failures", version: int | None = None) -> list[str]:
    return sorted(at.scan(table, version).collect()[records.key_column(table)])


def test_merge_inserts_and_updates(tmp_path):
    at = Tables(tmp_path)
    assert at.merge("failures", [failure("a"), failure("b")]) == 2
    assert at.merge("failures", [failure("b", "new"), failure("c")]) == 2
    assert sorted(at.records("failures"), key=lambda f: f.failure_id) == [
        failure("a"),
        failure("b", "new"),
        failure("c"),
    ]


def test_merging_the_same_again_makes_no_version(tmp_path):
    at = Tables(tmp_path)
    track = Track("t", "c", "car", 0.5, "media/ab/m.mkv", 0, 1, [0.1, 0.2], 0.3, [1.0] * 8)
    model = ModelRow("m@1", "m", "1", "MIT", "", {"auc": None, "by": {"b": 1, "a": 2}})
    clip = Clip("c", "s", "u", "CC0", "media/ab/c.mp4", 0, 2, 25.0, 96, 80)
    for table, record in ("tracks", track), ("models", model), ("clips", clip):
        assert at.merge(table, [record]) == 1
        version = at.version(table)
        assert at.merge(table, [record]) == 0
        assert at.merge(table, []) == 0
        assert at.version(table) == version
        assert at.records(table) == [record]


def test_of_one_key_the_last_counts(tmp_path):
    at = Tables(tmp_path)
    assert at.merge("failures", [failure("a", "1"), failure("a", "2")]) == 1
    assert at.records("failures") == [failure("a", "2")]


def test_insert_never_updates(tmp_path):
    at = Tables(tmp_path)
    assert at.insert("failures", [failure("a", "1")]) == 1
    assert at.insert("failures", [failure("a", "2"), failure("b")]) == 1
    stored = sorted(at.records("failures"), key=lambda f: f.failure_id)
    assert stored == [failure("a", "1"), failure("b")]


def test_delete(tmp_path):
    at = Tables(tmp_path)
    assert at.delete("failures", ["a"]) == 0
    at.merge("failures", [failure(name) for name in ("a", "b", "c'); --")])
    assert at.delete("failures", ["a", "c'); --", "none"]) == 2
    assert ids(at) == ["b"]
    version = at.version("failures")
    assert at.delete("failures", ["none"]) == 0
    assert at.version("failures") == version


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
    at.merge("failures", [failure("a", "old")])
    first = at.version("failures")
    at.merge("failures", [failure("a", "new"), failure("b")])
    at.delete("failures", ["b"])
    assert at.scan("failures", first).collect()["message"].to_list() == ["old"]
    assert at.scan("failures").collect()["message"].to_list() == ["new"]


def test_a_new_field_becomes_a_column(tmp_path, monkeypatch):
    @dataclasses.dataclass(frozen=True, slots=True)
    class Grown(Failure):
        seconds: float | None = None
        params: dict[str, Any] = dataclasses.field(default_factory=dict)

    at = Tables(tmp_path)
    at.merge("failures", [failure("a"), failure("b")])
    before = at.version("failures")
    monkeypatch.setitem(records.TABLES, "failures", Grown)
    assert at.scan("failures").collect()["seconds"].to_list() == [None, None]
    new = Grown("c", "edit", "pair c", "slow", "", 1.5, {"x": 1})
    changed = Grown("b", "edit", "pair b", "slow", "", 2.5)
    assert at.merge("failures", [new, changed]) == 2
    assert at.merge("failures", [new, changed]) == 0
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
    assert at.merge("failures", [failure("d")]) == 1
    assert at.scan("failures").filter(pl.col("failure_id") == "c").collect()["seconds"][0] == 1.5


def _append(root: Path, writer: int) -> None:
    at = Tables(root)
    for n in range(4):
        at.merge("failures", [failure(f"{writer}-{n}-{k}") for k in range(3)])
        at.merge("failures", [failure("shared")])


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
    at.merge("failures", [failure("a")])
    settings = DeltaTable(str(tmp_path / "tables" / "failures")).metadata().configuration
    assert settings["delta.enableExpiredLogCleanup"] == "false"


def test_versions_outlive_checkpoints(tmp_path):
    at = Tables(tmp_path)
    for n in range(105):  # Delta writes a checkpoint every 100 commits
        at.merge("failures", [failure("a", str(n))])
    log = tmp_path / "tables" / "failures" / "_delta_log"
    assert list(log.glob("*.checkpoint.parquet"))
    assert at.scan("failures", 1).collect()["message"].to_list() == ["0"]


def test_compact_keeps_what_a_release_pins(tmp_path):
    at = Tables(tmp_path)
    for n in range(6):
        at.merge("failures", [failure(str(n))])
        at.merge("failures", [failure("same", str(n))])
    pinned = 5
    rows = at.scan("failures", pinned).collect()
    at.merge("releases", [Release("v1", "2026-01-01", {"failures": pinned}, "", "")])
    newest = at.scan("failures").collect().sort("failure_id")
    files = set((tmp_path / "tables" / "failures").glob("*.parquet"))
    at.compact(keep_hours=0)
    left = set((tmp_path / "tables" / "failures").glob("*.parquet"))
    assert files - left, "nothing was removed"
    assert at.scan("failures", pinned).collect().equals(rows)
    assert at.scan("failures").collect().sort("failure_id").equals(newest)


def test_pinned_tables_are_read_only(tmp_path):
    at = Tables(tmp_path)
    at.merge("failures", [failure("a")])
    version = at.version("failures")
    at.merge("failures", [failure("b")])
    pinned = Tables(tmp_path, {"failures": version})
    assert ids(pinned) == ["a"]
    assert pinned.version("failures") == version
    assert pinned.scan("clips").collect().is_empty()
    for write in (
        lambda: pinned.merge("failures", [failure("c")]),
        lambda: pinned.delete("failures", ["a"]),
        lambda: pinned.compact(),
    ):
        with pytest.raises(EditmillError, match="'main'"):
            write()


def test_a_writer_that_always_loses_gives_up(tmp_path, monkeypatch):
    at = Tables(tmp_path)
    at.merge("failures", [failure("a")])

    def lose(*_args: object, **_kwargs: object) -> None:
        raise tables.CommitFailedError("somebody was first")

    monkeypatch.setattr(tables, "_merger", lose)
    monkeypatch.setattr(tables, "LONGEST_PAUSE", 0.0)
    with pytest.raises(EditmillError, match="other writers came first"):
        at.merge("failures", [failure("b")])


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "tables").write_bytes(b"")
    with pytest.raises(EditmillError, match="is no folder") as caught:
        Tables(tmp_path).merge("failures", [failure("a")])
    assert "\n" not in str(caught.value)


def test_a_version_that_is_not_there(tmp_path):
    at = Tables(tmp_path)
    at.merge("clips", [Clip("c", "s", "u", "CC0", "v", 0, 2, 25.0, 96, 80)])
    with pytest.raises(EditmillError, match="version 99"):
        at.scan("clips", 99)
