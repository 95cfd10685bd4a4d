"""What is known of a table's parts: from the index, the log, and an older table's checkpoint."""

import threading
from itertools import pairwise

import polars as pl
import pytest
from deltalake import DeltaTable

from catalog.delta import part_index
from catalog.delta.parts import EMPTY, FORGETS, Parts
from catalog.delta.table import CONFIGURATION
from catalog.records import Failure
from catalog.tables import Tables

KEY = "tables/failures"


def failure(n: int) -> Failure:
    return Failure(f"f{n}", "edit", "pair", "slow", "")


def known(at: Tables, forgets: bool = True) -> dict[str, int]:
    """What another process would find, without names."""
    fresh, version = Parts(at.storage, KEY, forgets), at.version("failures")
    found = fresh.of([f"p{n}" for n in range(60)], version)
    assert fresh.filled(version) == {name for name, value in found.items() if value != EMPTY}
    assert fresh.of([], version) == {}
    return found


def files(tmp_path) -> list[str]:
    return sorted(path.name for path in (tmp_path / KEY / "_parts").glob("*"))


@pytest.fixture
def often(monkeypatch):
    """The index takes in every third commit."""
    monkeypatch.setattr("catalog.tables.MANY_COMMITS", 3)


@pytest.mark.parametrize("shared", [False, True])
def test_each_part_is_found_in_the_index(tmp_path, monkeypatch, shared):
    if shared:  # all names have one hash
        monkeypatch.setattr(part_index, "_hash", lambda name: 7)
    at = Tables(tmp_path)
    at.put("failures", {f"p{n}": [failure(n)] for n in range(50)})
    at.put("failures", {"p3": []})
    told = Parts(at.storage, KEY, True).of([f"p{n}" for n in range(60)], 2)
    assert len(told) == 50 and told["p3"] == EMPTY
    at._at("failures").parts(at._open("failures")).index(2)
    fresh = Parts(at.storage, KEY, True)
    if shared:  # the rows are written again, never left out
        before = at.version("failures")
        Tables(tmp_path).put("failures", {"p9": [failure(9)]})
        assert Tables(tmp_path).records("failures").count(failure(9)) == 1
        assert before == 2
        return
    assert fresh.of([f"p{n}" for n in range(60)], 2) == told
    assert fresh.filled(2) == told.keys() - {"p3"}
    assert Tables(tmp_path).put("failures", {f"p{n}": [failure(n)] for n in range(4, 50)}) == 0


def test_checkpoints_hold_no_transaction(tmp_path):
    at = Tables(tmp_path)
    at.put("failures", {"a": [failure(1)]})
    at._at("failures").open().create_checkpoint()
    (path,) = (tmp_path / KEY).glob("_delta_log/*.checkpoint.parquet")
    assert pl.read_parquet(path)["txn"].drop_nulls().is_empty()
    assert Tables(tmp_path).put("failures", {"a": [failure(1)]}) == 0


def test_the_index_has_few_files_and_only_its_last_are_written_again(tmp_path, often):
    at = Tables(tmp_path)
    for n in range(50):
        at.put("failures", {f"p{n}": [failure(n)], "p59": [failure(100 + n)]})
        assert len(files(tmp_path)) <= 5
    assert len(known(at)) == 51
    covered = [name.split("-")[:2] for name in files(tmp_path)]
    assert covered[0][0] == "0" * 20
    assert all(int(a[1]) + 1 == int(b[0]) for a, b in pairwise(covered))


def test_a_lost_or_torn_index_loses_no_part(tmp_path, often):
    at = Tables(tmp_path)
    for n in range(10):
        at.put("failures", {f"p{n}": [failure(n)]})
    told = known(at)
    first, *_ = (tmp_path / KEY / "_parts").iterdir()
    first.write_bytes(first.read_bytes()[:20])
    assert known(at) == told
    first.unlink()
    assert known(at) == told
    assert Tables(tmp_path).put("failures", {f"p{n}": [failure(n)] for n in range(10)}) == 0
    assert len(at.records("failures")) == 10


def test_an_index_of_a_state_that_was_taken_back_does_not_count(tmp_path, often):
    at = Tables(tmp_path)
    for n in range(4):
        at.put("failures", {f"p{n}": [failure(n)]})
    for path in sorted((tmp_path / KEY / "_delta_log").glob("*.json"))[3:]:
        path.unlink()  # someone went back to version 2, and on otherwise
    other = Tables(tmp_path)
    for n in (20, 21, 22, 23):
        other.put("failures", {f"p{n}": [failure(n)]})
    assert sorted(known(other)) == ["p0", "p1", "p20", "p21", "p22", "p23"]
    assert other.put("failures", {"p2": [failure(2)]}) == 1


def test_writers_take_each_others_files_away(tmp_path, often):
    one, other = Tables(tmp_path), Tables(tmp_path)
    for n in range(30):
        (one, other)[n % 2].put("failures", {f"p{n}": [failure(n)]})
    for n in range(30, 60):
        (one, other)[n > 45].put("failures", {f"p{n}": [failure(n)]})
    assert sorted(known(one)) == sorted(f"p{n}" for n in range(60))
    for at in (one, other, Tables(tmp_path)):
        assert at.put("failures", {f"p{n}": [failure(n)] for n in range(60)}) == 0
    assert sorted(map(str, one.records("failures"))) == sorted(map(str, map(failure, range(60))))


def test_a_reader_finds_all_while_files_are_replaced(tmp_path, often):
    at, stop, missing = Tables(tmp_path), threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            version = DeltaTable(tmp_path / KEY).version()
            found = Parts(at.storage, KEY, True).of(["first"], version)
            if "first" not in found:
                missing.append(version)

    at.put("failures", {"first": [failure(0)]})
    reader = threading.Thread(target=read)
    reader.start()
    for n in range(40):
        at.put("failures", {f"p{n}": [failure(n)]})
    stop.set()
    reader.join()
    assert not missing


def test_a_table_of_before_keeps_its_transactions_and_is_indexed(tmp_path, monkeypatch, often):
    monkeypatch.setattr(
        "catalog.delta.table.CONFIGURATION",
        {k: v for k, v in CONFIGURATION.items() if k not in FORGETS},
    )
    at = Tables(tmp_path)
    monkeypatch.setattr("catalog.tables.MANY_COMMITS", 1000)
    at.put("failures", {f"p{n}": [failure(n)] for n in range(50)})
    at._at("failures").open().create_checkpoint()
    for commit in (tmp_path / KEY / "_delta_log").glob("*.json"):
        if commit.name < f"{1:020}.json":
            commit.unlink()
    at.put("failures", {"p50": [failure(50)]})
    assert len(known(at, forgets=False)) == 51
    monkeypatch.setattr("catalog.tables.MANY_COMMITS", 1)
    Tables(tmp_path).put("failures", {"p51": [failure(51)]})
    assert len(files(tmp_path)) == 1 and len(known(at, forgets=False)) == 52
