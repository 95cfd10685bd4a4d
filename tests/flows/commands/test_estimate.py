"""What a build is expected to make: from the samples' objects, or from what was planned before."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import catalog
from catalog.policy import Policy
from catalog.records import Clip, Plan
from experts.plan.rules import Planning
from flows.commands.making.estimate import objects
from flows.commands.making.estimate.forecast import expected_edits
from flows.commands.making.estimate.planned import FEWEST, Planned, planned
from flows.recipe import Recipe, parse
from tests.parts import by_key

RECIPE = """
name: tiny
sources: [{kind: folder, path: %s}]
plan: {edits_per_clip: 3, weights: {object_removal: 1, object_swap: 1, deblur: 1}}
"""

PAPERS = Planning(weights={"deblur": 1})
MEAN = {task: np.mean([clip[task] for clip in objects.suited(PAPERS)]) for task in objects.TASKS}
"""Objects of a clip that suit, on average over the samples."""


def test_expected_edits_are_those_that_a_draw_gives_on_average():
    weights_of = {"deblur": 4, "upscaling": 1, "colorization": 1, "inpainting": 0.2}
    found = expected_edits(Planning(edits_per_clip=2, weights=weights_of))
    assert sum(found.values()) == pytest.approx(2, abs=1e-3)
    # Drawn two of four without putting back: by hand, summed over the ordered outcomes.
    total, by_hand = sum(weights_of.values()), dict.fromkeys(weights_of, 0.0)
    for first, a in weights_of.items():
        for second, b in weights_of.items():
            if first != second:
                chance = a / total * b / (total - a)
                by_hand[first] += chance
                by_hand[second] += chance
    assert found == pytest.approx(by_hand, abs=0.06)


def test_expected_edits_put_local_ones_first():
    weights_of = {"local_style_transfer": 0.01, "deblur": 9, "upscaling": 9, "object_swap": 1}
    found = expected_edits(Planning(edits_per_clip=2, local_share=0.5, weights=weights_of))
    with_any = [min(1, clip["local_style_transfer"]) for clip in objects.suited(PAPERS)]
    assert 0 < found["local_style_transfer"] == pytest.approx(np.mean(with_any), abs=0.01)
    assert found["object_swap"] == MEAN["object_swap"]
    assert found["deblur"] + found["upscaling"] == pytest.approx(1, abs=1e-3)


def test_expected_edits_do_not_fill_up_clips_of_few_objects():
    weights_of = {"object_removal": 1, "deblur": 1, "upscaling": 1, "colorization": 1}
    found = expected_edits(Planning(edits_per_clip=5, local_share=0.6, weights=weights_of))
    assert found["object_removal"] == pytest.approx(MEAN["object_removal"], abs=1e-3)
    assert sum(found.values()) == pytest.approx(found["object_removal"] + 2, abs=1e-3)


def test_expected_edits_are_the_mean_over_clips_and_not_of_a_mean_clip():
    rules = Planning(edits_per_clip=2, local_share=0.5, weights={"object_removal": 1, "deblur": 1})
    many, none = {"object_removal": 10.0}, {"object_removal": 0.0}
    of_many = expected_edits(rules, [many])["object_removal"]
    assert 1 < of_many <= 2  # one of its ten, or beside it another one instead of the deblur
    found = expected_edits(rules, [many] + [none] * 9)
    assert found["object_removal"] == pytest.approx(of_many / 10)
    mean_clip = expected_edits(rules, [{"object_removal": 1.0}])
    assert mean_clip["object_removal"] == pytest.approx(1, abs=1e-3)


def test_fewer_objects_suit_where_edits_may_not_be_small_and_short():
    small = Planning(weights={"deblur": 1}, smallest_long_side=376, shortest_frames=17)
    for usual, smaller in zip(objects.suited(PAPERS), objects.suited(small), strict=True):
        assert all(usual[task] <= smaller[task] for task in objects.TASKS)
    assert objects.suited(PAPERS) != objects.suited(small)


def _plan(clip: str, task: str, track: str = "", seed: int = 0) -> Plan:
    return Plan(
        plan_id=f"{clip}{task}{track}{seed}",
        clip_id=clip,
        task=task,
        expert="",
        track_id=track,
        label="",
        phrase="",
        count=1,
        prompt="",
        negative_prompt="",
        target_prompt="",
        seed=seed,
        first_frame=0,
        frames=33,
        crop=[0, 0, 64, 64],
        width=64,
        height=64,
    )


def _write(root: Path, recipe: Recipe, clips: int = FEWEST) -> catalog.Catalog:
    """Clips of which the first has two removals, and a swap that is tried from two seeds."""
    dataset = catalog.open(root, create=True)
    dataset = dataset.select(recipe.name, json.dumps(recipe.decisions()), Policy(()), "1")
    dataset.become_main()
    names = [f"c{k}" for k in range(clips)]
    made = [Clip(n, "s", "u", "MIT", "media/a.mp4", 0, 64, 25.0, 854, 480) for n in names]
    dataset.tables.put("clips", by_key(made))
    plans = {name: [_plan(name, "deblur")] for name in names}
    plans["c0"] += [_plan("c0", "object_removal", track) for track in ("t1", "t2")]
    plans["c0/swaps"] = [_plan("c0", "object_swap", "t1", seed) for seed in (0, 1)]
    dataset.tables.put("plans", plans)
    return dataset


@pytest.fixture
def recipe(write, scene, tmp_path: Path) -> Path:
    write("new.mp4", scene(128, 64, 96))
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE % tmp_path)
    return path


def test_a_source_is_cut_as_its_section_asks(editmill, recipe: Path, tmp_path: Path):
    asked = ("build", recipe, "--out", tmp_path / "out", "--dry-run", "--json")
    assert json.loads(editmill(*asked))["clips"] == 1
    recipe.write_text((RECIPE % tmp_path).replace("kind:", "max_frames: 40, kind:"))
    assert json.loads(editmill(*asked))["clips"] == 3
    recipe.write_text((RECIPE % tmp_path).replace("kind:", "max_frames: 40, per_source: 2, kind:"))
    assert json.loads(editmill(*asked))["clips"] == 2


def test_what_the_recipe_planned_before_is_the_estimate(editmill, recipe: Path, tmp_path: Path):
    _write(tmp_path / "out", parse(recipe.read_text(), "r"))
    asked = ("build", recipe, "--out", tmp_path / "out", "--dry-run")
    told = json.loads(editmill(*asked, "--json"))
    assert told["planned_clips"] == FEWEST and told["clips"] == 1  # the papers' 500 frames a clip
    assert told["edits"] == {"object_removal": 0, "object_swap": 0, "deblur": 1}
    line = editmill(*asked)
    assert f"planned for {FEWEST} clips of {tmp_path / 'out'}; times were" in line
    assert "on the samples" not in line
    found = planned(str(tmp_path / "out"), parse(recipe.read_text(), "r"))
    quarter = 1 / FEWEST
    edits = {"object_removal": 2 * quarter, "object_swap": quarter, "deblur": 1.0}
    assert found == Planned(FEWEST, edits)


def test_in_a_build_that_is_not_done_swaps_are_not_known_yet(recipe: Path, tmp_path: Path):
    asked = parse(recipe.read_text(), "r")
    dataset = _write(tmp_path / "out", asked)
    dataset.tables.drop("plans", ["c1", "c0/swaps"])
    dataset.storage.write(f"{dataset.selection.building}/x.json", b"{}")
    assert planned(str(tmp_path / "out"), asked) is None  # three of four are planned
    more = {f"d{k}": [_plan(f"d{k}", "deblur")] for k in range(FEWEST - 3)}
    dataset.tables.put("plans", more)
    found = planned(str(tmp_path / "out"), asked)
    assert found == Planned(FEWEST, {"object_removal": 2 / FEWEST, "deblur": 1.0})


def test_what_another_recipe_planned_tells_nothing(recipe: Path, tmp_path: Path):
    text = recipe.read_text()
    _write(tmp_path / "out", parse(text, "r"))
    _write(tmp_path / "few", parse(text, "r"), FEWEST - 1)
    thresholds = parse(text + "filters: {quality: 0.9}", "r")
    assert planned(str(tmp_path / "out"), thresholds) is not None
    other = parse(text.replace("clip: 3", "clip: 4"), "r")
    assert planned(str(tmp_path / "out"), other) is None
    for absent in ("few", "nowhere"):
        assert planned(str(tmp_path / absent), parse(text, "r")) is None
