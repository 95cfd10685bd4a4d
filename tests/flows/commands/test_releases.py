"""`editmill releases`, `diff` and `open`."""

from __future__ import annotations

import dataclasses
import json
import webbrowser
from pathlib import Path

import pytest

import catalog


def test_each_release_says_what_it_holds(editmill, root: Path):
    rows = json.loads(editmill("releases", "--catalog", root, "--json"))
    assert [row["tag"] for row in rows] == ["v1", "v2"]
    assert [(row["kept"], row["made"]) for row in rows] == [(3, 4), (2, 4)]
    assert {row["recipe"] for row in rows} == {"tiny"}
    shown = editmill("releases", "--catalog", root)
    assert "v1" in shown and "pairs kept" in shown and "local edits" not in shown


def test_a_catalog_without_a_release_says_how_to_get_one(editmill, tmp_path: Path):
    catalog.open(tmp_path / "new", create=True)
    assert "editmill build" in editmill("releases", "--catalog", tmp_path / "new")
    assert json.loads(editmill("releases", "--catalog", tmp_path / "new", "--json")) == []


def test_a_release_made_by_hand_need_not_name_a_recipe(editmill, root: Path):
    dataset = catalog.open(root)
    v1 = dataset.releases()[0]
    changes = dict(tag="by-hand", created_at="2099", recipe="[1]", notes="a note")
    dataset.storage.write(
        "releases/by-hand.json", json.dumps(dataclasses.asdict(v1) | changes).encode()
    )
    row = json.loads(editmill("releases", "--catalog", root, "--json"))[-1]
    assert (row["tag"], row["recipe"], row["notes"]) == ("by-hand", "[1]", "a note")


def test_diff_tells_what_became_of_each_pair(editmill, root: Path):
    told = json.loads(editmill("diff", "v1", "v2", "--catalog", root, "--json"))
    pairs = {ref: catalog.open(root, ref=ref).pairs().collect() for ref in ("v1", "v2")}
    found = {(c["task"], c["what"], c["before"], c["after"]): c["ids"] for c in told["changes"]}
    style = "global_style_transfer"
    assert set(found) == {
        ("deblur", "added", "", "kept"),
        (style, "removed", "kept", ""),
        (style, "re-judged", "kept", "edit_failed"),
        (style, "changed", "kept", "kept"),
    }
    assert found["deblur", "added", "", "kept"] == ["f" * 32]
    gone = set(pairs["v1"]["pair_id"]) - set(pairs["v2"]["pair_id"])
    assert set(found[style, "removed", "kept", ""]) == gone
    failed = pairs["v2"].filter(reason="edit_failed")["pair_id"].to_list()
    assert found[style, "re-judged", "kept", "edit_failed"] == failed


def test_diff_back_is_the_other_way_round(editmill, root: Path):
    there, back = (
        json.loads(editmill("diff", *refs, "--catalog", root, "--json"))["changes"]
        for refs in (("v1", "v2"), ("v2", "v1"))
    )
    other = {"added": "removed", "removed": "added"}
    turned = [
        c | {"what": other.get(c["what"], c["what"]), "before": c["after"], "after": c["before"]}
        for c in back
    ]
    assert sorted(turned, key=str) == sorted(there, key=str)


def test_diff_of_the_same_says_so(editmill, root: Path):
    assert "the same pairs" in editmill("diff", "v2", "main", "--catalog", root)
    assert "1 added, 1 removed, 1 re-judged, 1 changed" in editmill(
        "diff", "v1", "v2", "--catalog", root
    )


def test_unknown_refs_and_folders_are_told_with_those_there_are(refused, root: Path, tmp_path):
    assert "there are main, v1, v2" in refused("diff", "v1", "v9", "--catalog", root)
    assert "is not a catalog" in refused("releases", "--catalog", tmp_path)
    assert "is not a catalog" in refused("open", "--catalog", tmp_path)


def test_open_prints_the_report_where_there_is_no_screen(editmill, refused, root, monkeypatch):
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(webbrowser, "open", lambda url: pytest.fail("a browser was started"))
    assert "editmill build" in refused("open", "--catalog", root)
    (root / "report.html").write_text("<p>")
    told = json.loads(editmill("open", "--catalog", root, "--json"))
    assert told == {"report": str((root / "report.html").resolve()), "opened": False}
    assert str(root) in editmill("open", "--catalog", root)


def test_open_shows_the_report_in_the_browser(editmill, root: Path, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    (root / "report.html").write_text("<p>")
    assert json.loads(editmill("open", "--catalog", root, "--json"))["opened"]
    assert opened == [(root / "report.html").resolve().as_uri()]
