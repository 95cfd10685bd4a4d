"""The list of weights and clips: complete, honest about what is here, readable by a machine."""

import json
from io import StringIO

import pytest
from rich.console import Console

from experts import weights
from flows.commands.machine import models


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("EDITMILL_CACHE", str(tmp_path))
    return tmp_path


def _printed(width: int) -> str:
    console = Console(file=StringIO(), width=width, force_terminal=True, color_system=None)
    models.show(False, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_every_slot_has_its_row(empty_cache) -> None:
    rows = models.models_table()
    assert [row["name"] for row in rows] == [entry.name for entry in weights.entries()]
    assert all(row["licence"] and row["source"] and row["used_by"] for row in rows)
    assert not any(row["present"] for row in rows)


def test_present_is_what_lies_in_the_cache(empty_cache) -> None:
    entry = min(weights.entries(), key=lambda e: e.size)
    entry.path.parent.mkdir(parents=True)
    entry.path.write_bytes(b"0" * (entry.size - 1))
    assert not any(row["present"] for row in models.models_table())
    entry.path.write_bytes(b"0" * entry.size)
    present = [row["name"] for row in models.models_table() if row["present"]]
    assert present == [entry.name]


def test_json(empty_cache, capsys) -> None:
    models.show(True)
    assert json.loads(capsys.readouterr().out) == models.models_table()


def test_names_and_licences_survive_a_narrow_terminal(empty_cache) -> None:
    text = _printed(width=80)
    for row in models.models_table():
        assert row["name"] in text
    assert "models --fetch" in text
    assert max(map(len, text.splitlines()[:-2])) <= 80


def test_a_wide_terminal_says_what_each_is(empty_cache) -> None:
    text = _printed(width=300)
    for row in models.models_table():
        assert row["what"] in text


def test_footage_on_demand_is_shown_but_not_missed(empty_cache) -> None:
    standard = weights.standard_entries()
    assert {e.name for e in weights.entries()} > {e.name for e in standard}
    text = _printed(width=300)
    assert text.count("on demand") == len(weights.entries()) - len(standard)
    size = sum(entry.size for entry in standard) / 1e6
    assert f"{size:.0f} MB are missing" in text


def test_fetch_missing_asks_for_what_is_not_here(empty_cache, monkeypatch) -> None:
    entry = min(weights.entries(), key=lambda e: e.size)
    entry.path.parent.mkdir(parents=True)
    entry.path.write_bytes(b"0" * entry.size)
    asked = []

    def fetch_all(names, progress):
        for name in names:
            progress(name, 1, 2)
            progress(name, 2, 2)
            asked.append(name)

    monkeypatch.setattr(weights, "fetch_all", fetch_all)
    models.fetch_missing(weights.entries())
    assert sorted(asked) == sorted(e.name for e in weights.entries() if e.name != entry.name)


def test_the_command_fetches_no_footage_on_demand(empty_cache, editmill, monkeypatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(weights, "fetch_all", lambda names, progress: asked.extend(names))
    editmill("models", "--fetch")
    assert asked == [entry.name for entry in weights.standard_entries()]
