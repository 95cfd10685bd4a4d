"""`editmill upgrade`, `forget` and `collect`."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

import catalog
from experts.local_edits.statistics import statistics
from flows.commands.keeping.forget import _rows
from tests.catalog.keeping import format_1
from tests.catalog.keeping.two_sources import FIRST, Made


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return format_1.write(tmp_path / "old")


def say_that_a_build_runs(root: Path) -> None:
    now = datetime.now(UTC).isoformat()
    status = {
        "recipe": "tiny", "state": "running", "started_at": now, "updated_at": now, "seconds": 1,
        "host": socket.gethostname(), "pid": os.getpid(),
        "process_started": psutil.Process().create_time(), "stages": [], "tasks": {},
        "peak_memory_mb": 1,
    }  # fmt: skip
    (root / "work").mkdir(exist_ok=True)
    (root / "work" / "status.json").write_text(json.dumps(status))


def test_upgrade_says_what_it_did_and_when_nothing_is_to_be_done(editmill, old: Path):
    (old / "work" / "status.json").unlink()
    told = editmill("upgrade", "--catalog", old)
    assert "from catalog format 1 to 2" in told and "v1, v2" in told
    assert "nothing is to be done" in editmill("upgrade", "--catalog", old)
    assert json.loads(editmill("upgrade", "--catalog", old, "--json")) == {
        "before": 2, "format": 2, "products": 0, "releases": [], "trained": [],
    }  # fmt: skip


def test_what_writes_says_to_upgrade_first(refused, old: Path, tmp_path: Path):
    (old / "work" / "status.json").unlink()
    remedy = f"editmill upgrade --catalog {old}"
    assert remedy in refused("build", "--out", old)


def test_nothing_is_upgraded_while_a_build_runs(refused, old: Path):
    say_that_a_build_runs(old)
    assert "a build runs in it" in refused("upgrade", "--catalog", old)
    assert catalog.open(old).format == 1


def test_forget_shows_asks_and_then_does(editmill, refused, made: Made):
    uri, before = made.uri, catalog.open(made.uri).releases()
    told = editmill("forget", "first.mp4", "--catalog", uri, "--dry-run")
    assert "would go" in told and "6 pairs" in told and "v1 (4), v2 (4)" in told
    assert "--yes" in refused("forget", "first.mp4", "--catalog", uri)
    assert catalog.open(uri).releases() == before
    report = json.loads(editmill("forget", FIRST[:9], "--catalog", uri, "--yes", "--json"))
    assert report["release"] == "v3" and report["trained"] == ["models/remover/" + "1" * 12]
    assert report["removed"]["clips"] == 2 and report["erased"] is None
    v3 = catalog.open(uri, "v3")
    assert v3.sources().collect()["name"].to_list() == ["second.mp4"]
    release, v2 = v3.releases()[-1], before[-1]
    assert (release.recipe, release.policy, release.models) == (v2.recipe, v2.policy, v2.models)
    assert release.counts["tables"]["pairs"] == 2


def test_forget_counts_in_plain_words():
    assert _rows({"removed": {"clips": 4, "sources": 1}}).endswith(": 4 clips, 1 source")
    assert _rows({"removed": {}}) == "no row of any selection"


def test_forget_done_again_changes_nothing_and_can_erase(editmill, refused, made: Made):
    editmill("forget", "first.mp4", "--catalog", made.uri, "--yes")
    again = json.loads(editmill("forget", "first.mp4", "--catalog", made.uri, "--yes", "--json"))
    assert (again["release"], again["removed"]) == ("v3", {})
    cached = Path(made.uri) / "work" / "training" / "latents" / "x"
    cached.mkdir(parents=True)
    (Path(made.uri) / "report.html").write_text("shows it")
    told = editmill("forget", "first.mp4", "--catalog", made.uri, "--yes", "--erase")
    assert "have no media then: v1 (4), v2 (4)" in told and "Erased: " in told
    assert not cached.exists() and not (Path(made.uri) / "report.html").exists()
    assert [r.tag for r in catalog.open(made.uri).releases()] == ["v1", "v2", "v3"]
    again = editmill("forget", "first.mp4", "--catalog", made.uri, "--yes", "--erase")
    assert "first.mp4 (" in again and "was forgotten before, and no row of it is left" in again
    assert "Erased" not in again and "None of its media is left that only it has" in again
    assert "a source was erased" in refused("open", "--catalog", made.uri)


def test_forget_counts_the_local_edits_again(editmill, made: Made):
    at = catalog.open(made.uri)
    before = statistics(at.tables.records("local_edits"))
    at.tables.put("statistics", {"all": before})
    editmill("forget", "first.mp4", "--catalog", made.uri, "--yes")
    left = catalog.open(made.uri).tables
    assert sorted(b.statistic_id for b in left.records("statistics")) == sorted(
        b.statistic_id for b in statistics(left.records("local_edits"))
    )
    assert sum(b.count for b in before if b.name == "task") == 2
    assert sum(b.count for b in left.records("statistics") if b.name == "task") == 1


def test_nothing_is_forgotten_while_a_build_runs(refused, made: Made):
    say_that_a_build_runs(Path(made.uri))
    assert "a build runs" in refused("forget", "first.mp4", "--catalog", made.uri, "--yes")
    assert len(catalog.open(made.uri).sources().collect()) == 2


def test_a_wrong_name_or_tag_is_one_line(refused, made: Made):
    assert "first.mp4" in refused("forget", "frist.mp4", "--catalog", made.uri)
    assert "is no tag" in refused("forget", "first.mp4", "--catalog", made.uri, "--tag", "a b")


def test_collect_tells_what_goes_and_deletes_it(editmill, made: Made):
    folder = Path(made.uri, "media")
    before = sorted(folder.rglob("*.*"))
    assert "2 that nothing names are younger" in editmill("collect", "--catalog", made.uri)
    everything = ("collect", "--catalog", made.uri, "--older-than", "0")
    assert "Would be deleted: 2 media" in editmill(*everything, "--dry-run")
    assert sorted(folder.rglob("*.*")) == before
    done = json.loads(editmill(*everything, "--json"))
    assert (done["media"], done["products"], done["selections"]) == (2, 4, [])
    assert len(before) - len(sorted(folder.rglob("*.*"))) == 2
    assert len(catalog.open(made.uri, "v1").pairs().collect()) == 5


def test_nothing_is_collected_while_a_build_runs(editmill, refused, made: Made):
    say_that_a_build_runs(Path(made.uri))
    told = ("collect", "--catalog", made.uri, "--older-than", "0")
    assert "a build runs" in refused(*told)
    assert "Would be deleted: 2 media" in editmill(*told, "--dry-run")


@pytest.mark.parametrize("command", [("forget", "first.mp4", "--yes"), ("collect",)])
def test_a_catalog_of_format_1_is_to_be_upgraded_first(refused, old: Path, command):
    assert f"editmill upgrade --catalog {old}" in refused(*command, "--catalog", old)
