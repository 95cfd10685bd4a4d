"""A release's counts are those of all its rows, however few of them it reads."""

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import catalog
from catalog.releases import Catalog
from catalog.releases import counts as counting
from tests.catalog.releases.steps import MILD, PARTS, STEPS, put, take


@settings(max_examples=15)
@given(st.lists(STEPS, max_size=12))
def test_they_equal_a_count_of_everything(steps):
    with tempfile.TemporaryDirectory() as folder:
        at = catalog.open(Path(folder), create=True).select("one", "{}", MILD, "1")
        put(at, {"d": [("style", 0.5, ("lama", "MIT", True))]}, MILD)
        for number, (what, of) in enumerate([*steps, ("release", ())]):
            released = take(at, what, of, f"v{number}")
            if released is not None:
                assert released.counts == counted_anew(at, released.tag)


def counted_anew(at: Catalog, tag: str) -> dict:
    """By reading all rows of the release."""
    held = catalog.open(at.storage, tag)
    pairs, sources = held.pairs().collect(), held.sources().collect()
    tasks = {
        task: {
            "made": len(pairs.filter(task=task)),
            "kept": len(pairs.filter(task=task, keep=True)),
        }
        for task in sorted(set(pairs["task"]))
    }
    tallies = {
        name: sorted(
            map(list, {"pairs": pairs, "sources": sources}[tally.table]
                .group_by(tally.columns).len().rows()),
            key=str,
        )
        for name, tally in counting.TALLIES.items()
    }  # fmt: skip
    return {"tables": {"sources": len(sources), "pairs": len(pairs)}, "tasks": tasks, **tallies}


def passes(monkeypatch) -> list[str]:
    """The tables that are counted from the first row to the last, from now on."""
    found = []
    table = Catalog.table
    monkeypatch.setattr(
        Catalog, "table", lambda self, name: found.append(name) or table(self, name)
    )
    return found


def filled(folder: Path) -> Catalog:
    at = catalog.open(folder, create=True).select("one", "{}", MILD, "1")
    for part in PARTS:
        put(at, {part: [("style", 0.5, ("lama", "MIT", True))] * 3}, MILD)
    return at


def test_rows_that_the_release_before_had_are_not_read(tmp_path, monkeypatch):
    at = filled(tmp_path)
    at.release("v1")
    put(at, {part: [("style", 0.1, ("lama", "MIT", True))] for part in "ae"}, MILD)
    read = passes(monkeypatch)
    assert at.release("v2").counts["tasks"] == {"style": {"made": 11, "kept": 9}}
    assert read == ["sources"]  # few: the card names them


def test_what_a_release_of_an_earlier_version_did_not_count_is_counted(tmp_path, monkeypatch):
    at = filled(tmp_path)
    first = at.release("v1")
    document = tmp_path / "releases" / "v1.json"
    text = document.read_text()
    for name in counting.TALLIES:
        text = text.replace(f'"{name}":', f'"{name} of later":')
    document.write_text(text)
    put(at, {"e": [("style", 0.1, ("lama", "MIT", True))]}, MILD)
    read = passes(monkeypatch)
    assert at.release("v2").counts["tasks"] == {"style": {"made": 13, "kept": 12}}
    assert "pairs" in read
    assert catalog.open(tmp_path, "v1").counts() == first.counts


def test_a_table_that_was_written_anew_is_read_once(tmp_path, monkeypatch):
    at = filled(tmp_path)
    at.release("v1")
    put(at, {part: [("style", 0.1, ("lama", "MIT", True))] for part in PARTS}, MILD)
    read = passes(monkeypatch)
    assert at.release("v2").counts["tasks"] == {"style": {"made": 4, "kept": 0}}
    assert "pairs" in read


def test_counts_that_the_log_contradicts_are_not_built_on(tmp_path, monkeypatch):
    at = filled(tmp_path)
    at.release("v1")
    document = tmp_path / "releases" / "v1.json"
    document.write_text(document.read_text().replace('["style", true, "", 12]',
                                                     '["style", true, "", 11]'))  # fmt: skip
    put(at, {"e": [("style", 0.1, ("lama", "MIT", True))]}, MILD)
    assert at.release("v2").counts["tasks"] == {"style": {"made": 13, "kept": 12}}


def test_files_of_the_release_before_that_are_gone_are_not_needed(tmp_path):
    at = filled(tmp_path)
    at.release("v1")
    put(at, {"a": [("style", 0.5, ("wan", "", None))]}, MILD)
    left = set(at.tables.files("pairs")["path"])
    gone = [p for p in (tmp_path / "tables/one/pairs").glob("*.parquet") if p.name not in left]
    assert gone
    for path in gone:
        path.unlink()
    assert at.release("v2").counts["tasks"] == {"style": {"made": 10, "kept": 10}}


def test_rows_whose_number_was_not_noted_are_counted(tmp_path):
    filled(tmp_path)
    for commit in (tmp_path / "tables/one/pairs/_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in commit.read_text().splitlines()]
        for action in actions:
            action.get("add", {}).pop("stats", None)
        commit.write_text("\n".join(map(json.dumps, actions)))
    at = catalog.open(tmp_path).select("one", "{}", MILD, "1")
    assert at.release("v1").counts["tables"]["pairs"] == 12


def test_a_table_without_rows_is_counted(tmp_path):
    at = filled(tmp_path)
    at.release("v1")
    at.tables.drop("pairs", PARTS)
    assert at.release("v2").counts["tables"] == {"sources": 4, "pairs": 0}
