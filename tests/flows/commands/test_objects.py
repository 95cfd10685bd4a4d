"""`editmill objects`: how many objects suit each task, and why the others do not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import catalog
from catalog.policy import Policy
from catalog.records import Clip, Track
from flows.commands.reading.objects import WHY
from flows.recipe import load
from tests.parts import by_key

RECIPE = """
name: objects
sources: [{kind: folder, path: videos}]
plan: {weights: {object_removal: 1, object_grounding: 1, deblur: 1}}
"""


def _track(name: str, clip: str, **changed: object) -> Track:
    boxes = [360.0, 200.0, 440.0, 260.0] * 64
    car = Track(name, clip, "car", 0.8, "media/b.mkv", 0, 63, [0.9] * 64, 0.05, boxes)
    return dataclasses.replace(car, **changed)  # type: ignore[arg-type]


def _write(root: Path) -> Path:
    _fill(catalog.open(root, create=True))
    return root


def _fill(dataset: catalog.Catalog) -> None:
    pan = [value for t in range(64) for value in (4.0 * t, 0.0)]
    clips = [
        Clip(name, "s1", "uri", "MIT", "media/a.mp4", 0, 64, 25.0, 854, 480, camera=pan)
        for name in ("c1", "c2", "c3")
    ]
    tracks = {
        "c1": [_track("t1", "c1"), _track("t2", "c1", label="dog", area=0.0001)],
        "c2": [_track("t3", "c2", score=0.3, label="car\x1b[2J")],
        "c3": [_track("t4", "c3", last_frame=9)],
    }
    dataset.tables.put("clips", by_key(clips))
    dataset.tables.put("tracks", tracks)


def test_each_task_says_how_many_suit_it_and_why_the_others_do_not(editmill, tmp_path: Path):
    root = _write(tmp_path / "out")
    (tmp_path / "r.yaml").write_text(RECIPE)
    asked = ("objects", "--catalog", root, "--recipe", tmp_path / "r.yaml")
    told = json.loads(editmill(*asked, "--json"))
    assert told["clips"] == 3 and told["objects"] == {"car": 2, "dog": 1, "car\x1b[2J": 1}
    reasons = {"suited": 1, "too_small": 1, "label_in_doubt": 1, "too_brief": 1}
    assert told["tasks"]["object_removal"] == reasons
    assert set(told["tasks"]) == {"object_removal", "object_grounding"}  # deblur needs no object
    lines = editmill(*asked).splitlines()
    assert lines[0] == "4 objects in 3 clips: 2 car, 1 dog, 1 car\\x1b[2J"
    assert "1 too small (min_area, smallest_long_side)" in " ".join(lines)
    few = json.loads(editmill(*asked, "--clips", 1, "--json"))
    assert (few["clips"], few["clips_in_all"]) == (1, 3)
    assert few["objects"] == {"car": 1, "dog": 1}
    assert editmill(*asked, "--clips", 1).startswith("2 objects in 1 of 3 clips")


def test_the_docs_say_of_each_reason_what_to_change():
    page = (Path(__file__).parents[3] / "docs" / "own-footage.md").read_text()
    for reason in WHY.values():
        assert f"| {reason.partition(' (')[0]} | " in page


def test_what_it_cannot_say_is_one_line(refused, tmp_path: Path):
    root = _write(tmp_path / "out")
    assert "--recipe" in refused("objects", "--catalog", root)  # no build has left one there
    (tmp_path / "r.yaml").write_text(RECIPE.replace("object_removal: 1, object_grounding: 1, ", ""))
    assert "plans no edits of objects" in refused(
        "objects", "--catalog", root, "--recipe", tmp_path / "r.yaml"
    )
    empty = tmp_path / "empty"
    catalog.open(empty, create=True)
    (tmp_path / "o.yaml").write_text(RECIPE)
    without_clips = refused("objects", "--catalog", empty, "--recipe", tmp_path / "o.yaml")
    assert f"no clips; `editmill status --catalog {empty}`" in without_clips


def test_of_local_edits_it_says_what_it_is_for(editmill, refused, tmp_path: Path):
    root, recipe = tmp_path / "out", load("vivid-embedded")
    dataset = catalog.open(root, create=True)
    built = dataset.select(recipe.name, json.dumps(recipe.decisions()), Policy(()), "1")
    built.become_main()
    _fill(built)
    for asked in ((), ("--recipe", "vivid-embedded")):
        told = refused("objects", "--catalog", root, *asked)
        assert "vivid-embedded makes local-editing records" in told and "--recipe" in told
        listed = editmill("query", told.split('"')[1], "--catalog", root)
        assert "car" in listed
    (tmp_path / "r.yaml").write_text(RECIPE)
    pairs = editmill("objects", "--catalog", root, "--recipe", tmp_path / "r.yaml")
    assert pairs.startswith("4 objects")
