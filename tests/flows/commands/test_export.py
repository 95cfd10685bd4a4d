"""`editmill export`: what it prints, and the one line where it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from catalog.export.formats import FORMATS
from tests.catalog.export.compared import report
from tests.flows.commands.conftest import Run


def test_it_exports_a_release_and_says_what_was_done(
    editmill: Run, root: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    told = editmill("export", "senorita", "--ref", "v1", "--out", out, "--catalog", root)
    assert "records of v1 for readers of Señorita-2M (train " in told
    assert "hard links to the catalog's media" in told
    assert "generated videos carry content credentials" in told
    assert list((out / "train").glob("*.json"))
    again = editmill("export", "senorita", "--ref", "v1", "--out", out, "--catalog", root)
    assert "nothing to do" in again


def test_json_has_the_same_for_a_machine(editmill: Run, root: Path, tmp_path: Path) -> None:
    done = json.loads(
        editmill("export", "vefx", "--out", tmp_path / "out", "--catalog", root, "--copy", "--json")
    )
    assert done["format"] == "vefx" and done["ref"] == "main" and not done["linked"]
    files = [p for p in (tmp_path / "out").rglob("*") if p.is_file() and not p.name.startswith(".")]
    videos = [path.read_bytes() for path in files if path.suffix == ".mp4"]
    assert done["signed"] == sum(report(video)["present"] for video in videos) == len(videos) / 2
    assert done["made"] == len(files) == sum(done["files"].values())
    assert done["bytes"] == sum(path.stat().st_size for path in files)


def test_help_lists_every_format_with_its_reader(editmill: Run) -> None:
    told = " ".join(editmill("export", "--help").split())
    for one in FORMATS.values():
        assert f"{one.name} · {one.reader}" in told
    assert "editmill export diffsynth-vace" in told


def test_what_is_wrong_is_one_line(refused: Callable[..., str], root: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out", "--catalog", root)
    assert "did you mean 'webdataset'" in refused("export", "webdatasets", *out)
    assert "no ref 'v9'" in refused("export", "vefx", "--ref", "v9", *out)
    assert "SQL condition" in refused("export", "vefx", "--where", "keep >", *out)
    assert "is empty" in refused("export", "vefx", "--where", "", *out)
    assert "--splits" in refused("export", "vefx", "--splits", "train=2", *out)
    assert "--splits" in refused("export", "vefx", "--splits", "", *out)
    assert not (tmp_path / "out").exists()
