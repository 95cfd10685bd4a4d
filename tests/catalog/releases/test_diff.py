"""What differs between two refs is found without reading what they share."""

import tempfile
from itertools import permutations
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalog
from catalog.diff.pairs import changes
from catalog.diff.rows import differing_rows
from catalog.diff.tables import TableDiff
from catalog.errors import EditmillError
from catalog.releases import Catalog
from tests.catalog.releases.steps import MILD, PARTS, STEPS, STRICT, put, take

ONE = [("style", 0.5, ("lama", "MIT", True))]


@settings(max_examples=6)
@given(st.lists(STEPS, max_size=8))
def test_it_is_what_all_rows_differ_in(steps):
    with tempfile.TemporaryDirectory() as folder:
        at = catalog.open(Path(folder), create=True).select("one", "{}", MILD, "1")
        at.become_main()
        put(at, {"d": ONE}, MILD)
        refs = {"main"}
        for number, (what, of) in enumerate([("release", ()), *steps]):
            released = take(at, what, of, f"v{number}")
            refs |= set() if released is None else {released.tag}
        rows = {ref: by_key(catalog.open(at.storage, ref)) for ref in refs}
        for a, b in permutations(refs, 2):
            old, new = rows[a], rows[b]
            assert catalog.open(at.storage, b).diff(a)["pairs"] == TableDiff(
                sorted(new.keys() - old.keys()),
                sorted(old.keys() - new.keys()),
                sorted(key for key in old.keys() & new.keys() if old[key] != new[key]),
            )


def by_key(at: Catalog) -> dict[str, dict]:
    return {row["pair_id"]: row for row in at.pairs().collect().iter_rows(named=True)}


@pytest.fixture
def at(tmp_path) -> Catalog:
    """Pairs in four data files, released as v1; one of them holds other pairs in v2."""
    made = catalog.open(tmp_path, create=True).select("one", "{}", MILD, "1")
    made.become_main()
    for part in PARTS:
        put(made, {part: ONE}, MILD)
    made.release("v1")
    put(made, {"a": [*ONE, *ONE]}, MILD)
    made.release("v2")
    return made


@pytest.mark.parametrize(("old", "new"), [("v1", "v2"), ("v2", "v1"), ("v1", "main")])
def test_files_that_both_have_are_not_read(at, old, new):
    rows = differing_rows(catalog.open(at.root, old), catalog.open(at.root, new), "pairs")
    assert {"v1": 1, "v2": 2, "main": 2}[old] == rows[0].select(pl.len()).collect().item()
    assert {"v1": 1, "v2": 2, "main": 2}[new] == rows[1].select(pl.len()).collect().item()
    assert sum(len(change.ids) for change in changes(at.root, old, new)) == 1


def test_of_other_policies_all_rows_are_read(at):
    at.decide("strict", STRICT)
    rows = differing_rows(catalog.open(at.root, "v2"), catalog.open(at.root, "strict"), "pairs")
    assert [each.select(pl.len()).collect().item() for each in rows] == [5, 5]
    (change,) = changes(at.root, "v2", "strict")
    assert (change.what, change.before, len(change.ids)) == ("re-judged", "kept", 5)


def test_a_data_file_that_cannot_be_read_is_named(at):
    before, after = catalog.open(at.root, "v1"), catalog.open(at.root, "v2")
    (name,) = set(files(before)) - set(files(after))
    file = at.root / "tables" / "one" / "pairs" / name
    data = file.read_bytes()  # it begins, ends and is long as it was
    file.write_bytes(data[:4] + b"\xff" * 1000 + data[1004:])
    for compared in (lambda: after.diff("v1"), lambda: changes(at.root, "v1", "v2")):
        with pytest.raises(EditmillError, match=f"{name}: cannot be read"):
            compared()


def files(at: Catalog) -> list[str]:
    return at.tables.files("pairs")["path"].to_list()
