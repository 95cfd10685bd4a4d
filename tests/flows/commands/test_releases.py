"""`editmill releases`, `diff` and `open`."""

from __future__ import annotations

import dataclasses
import json
import webbrowser
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import TypeAdapter

import catalog
from catalog.keeping.forget import Forgotten, remember
from flows.runtime.monitoring.stats import TaskCount
from flows.runtime.monitoring.status import ENDED, Status

AT = datetime(2020, 1, 1, tzinfo=UTC)


def test_each_release_says_what_it_holds(editmill, root: Path):
    rows = json.loads(editmill("releases", "--catalog", root, "--json"))
    assert [row["tag"] for row in rows] == ["v1", "v2"]
    assert [(row["kept"], row["made"]) for row in rows] == [(3, 4), (2, 4)]
    assert {row["recipe"] for row in rows} == {"tiny"}
    shown = editmill("releases", "--catalog", root)
    assert "v1" in shown and "pairs kept" in shown and "local edits" not in shown


def test_a_narrow_terminal_breaks_no_time(editmill, root: Path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    rows = json.loads(editmill("releases", "--catalog", root, "--json"))
    shown = editmill("releases", "--catalog", root)
    assert all(row["created_at"][:19] in shown for row in rows)


def test_the_environment_names_the_catalog(editmill, refused, root: Path, tmp_path, monkeypatch):
    monkeypatch.setenv("EDITMILL_CATALOG", str(root))
    assert [row["tag"] for row in json.loads(editmill("releases", "--json"))] == ["v1", "v2"]
    other = tmp_path / "other"
    assert str(other) in refused("releases", "--catalog", other)  # what is given counts
    assert "there are main, v1, v2" in refused("evaluate", "--ref", "v9")
    assert "EDITMILL_CATALOG" in editmill("releases", "--help")


def test_a_catalog_without_a_release_says_how_to_get_one(editmill, tmp_path: Path):
    catalog.open(tmp_path / "new", create=True)
    assert "editmill build" in editmill("releases", "--catalog", tmp_path / "new")
    assert json.loads(editmill("releases", "--catalog", tmp_path / "new", "--json")) == []
    assert "Nothing has happened yet" in editmill("log", "--catalog", tmp_path / "new")


def test_a_release_made_by_hand_need_not_name_a_recipe(editmill, root: Path):
    dataset = catalog.open(root)
    v1 = dataset.releases()[0]
    changes = dict(tag="by-hand", created_at="2099", recipe="[1]", notes="a note")
    dataset.storage.write(
        "releases/by-hand.json", json.dumps(dataclasses.asdict(v1) | changes).encode()
    )
    rows = json.loads(editmill("releases", "--catalog", root, "--json"))
    row = next(row for row in rows if row["tag"] == "by-hand")
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
    told = editmill("diff", "v1", "v2", "--catalog", root)
    assert "From v1 to v2: 1 added, 1 removed, 1 judged otherwise, 1 other content." in told
    assert "rejected: edit_failed" in told and "re-judged" not in told


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


def test_the_log_tells_builds_releases_decisions_and_what_was_forgotten(editmill, root: Path):
    storage = catalog.open(root).storage
    began = Status(
        "tiny", "finished", AT, AT, 5.0, "host", 7, 0.0, [], {"deblur": TaskCount(made=4, kept=3)},
        100, release="v2",
    )  # fmt: skip
    for number, build in enumerate((
        began,
        dataclasses.replace(began, state="failed", message="no\nsuch thing", release=""),
    )):  # fmt: skip
        data = TypeAdapter(Status).dump_json(build)
        storage.write(f"{ENDED}/20200101T000000Z-{number}.json", data)
    storage.write(f"{ENDED}/of-a-newer-version.json", b"{}")
    editmill("decide", "--set", "quality=0.1", "--tag", "loose", "--catalog", root)
    remember(storage, Forgotten("ab" * 32, ["street.mp4"], "2099-01-01T00:00:00+00:00", ["c"]))
    told = json.loads(editmill("log", "--catalog", root, "--json"))
    assert [entry["what"] for entry in told] == [
        "forgot street.mp4", "release loose", "release v2", "release v1",
        "build failed", "build finished with release v2",
    ]  # fmt: skip
    assert told[-1]["details"] == {"recipe": "tiny", "kept": 3, "made": 4}
    assert told[1]["details"]["notes"] == "main, decided anew: quality=0.1"
    assert (told[2]["details"]["recipe"], told[2]["details"]["kept"]) == ("tiny", 2)
    lines = editmill("log", "--catalog", root, "--limit", "4")
    assert "street.mp4" in lines and "build" not in lines


def test_releases_of_a_clock_that_was_set_back_stay_in_their_order(editmill, root: Path):
    dataset = catalog.open(root)
    later = dataclasses.asdict(dataset.releases()[-1])
    later |= {"tag": "v3", "number": 3, "created_at": "2001-01-01T00:00:00.000+00:00"}
    dataset.storage.write("releases/v3.json", json.dumps(later).encode())
    told = json.loads(editmill("log", "--catalog", root, "--json"))
    assert [entry["what"] for entry in told] == ["release v3", "release v2", "release v1"]


@pytest.mark.parametrize(("setting", "said"), [
    ("quality=7", "quality lies between 0 and 1"),
    ("quality.deblur=-0.1", "quality lies between 0 and 1"),
    ("subtle=1.01", "subtle lies between -1 and 1"),
    ("construction=0.5", "set in the recipe"),
    ("quality=high", "not a threshold"),
    ("words=0.5", "the filter one of quality,"),  # and not construction, which is refused above
])  # fmt: skip
def test_a_threshold_that_no_score_can_reach_is_refused(refused, root: Path, setting, said):
    assert said in refused("decide", "--set", setting, "--catalog", root)
    assert [each.tag for each in catalog.open(root).releases()] == ["v1", "v2"]
