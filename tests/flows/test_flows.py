"""The flows as Prefect knows them: found by their entry points, described, and run again."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import catalog
from catalog import media
from catalog.errors import EditmillError
from catalog.policy import Policy
from flows.pipelines import make_local_edits, make_pairs
from flows.release.flow import release
from flows.request import request
from flows.runtime.running.batches import batch
from tests.flows.deployments.prefect_server import SETTINGS, migrated

REPOSITORY = Path(__file__).parents[2]
RECIPE = """
name: tiny
seed: {seed}
sources: [{{kind: folder, path: {footage}}}]
annotate: {{keyframe_seconds: 1.5}}  # there is nothing to detect
plan: {{edits_per_clip: 1, frames: 8, long_side: 128, weights: {{deblur: 1}}}}
run: {{workers: 1}}
"""


@pytest.mark.parametrize("entry", ["flows/build.py:build", "flows/release/flow.py:release"])
def test_a_deployment_finds_the_flow_and_its_described_parameters(
    entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.flows import load_flow_from_entrypoint
    from prefect.utilities.callables import parameter_schema

    monkeypatch.chdir(REPOSITORY)
    found = load_flow_from_entrypoint(entry)
    schema = parameter_schema(found)
    assert found.description
    assert schema.properties
    for name, parameter in schema.properties.items():
        assert parameter.get("description"), name
        assert "default" in parameter, name
    assert not schema.required


@pytest.mark.parametrize("made_within", [make_pairs, make_local_edits, batch])
def test_a_builds_own_flows_do_not_describe_its_whole_recipe(made_within: Any) -> None:
    """Which Prefect would do anew each time that one of them begins."""
    assert not made_within.parameters.definitions


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise that drifts: sharp enough to be blurred, with nothing that a detector knows."""
    folder = tmp_path_factory.mktemp("footage")
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 255, (12, 40, 3), np.uint8).repeat(10, 0).repeat(10, 1)
    frames = np.stack([wide[:96, 2 * t : 2 * t + 160] for t in range(36)])
    media.write_video(folder / "noise.mp4", frames, 25.0)
    return folder


SCRIPT = """
import asyncio, json, sys

from flows.build import build
from flows.release.flow import release

first, second, third = sys.argv[1:4]
out = sys.argv[4]

async def in_a_notebook():  # whose cells run within an event loop
    return build(second, out)

found = [build(first, out), build(first, out), asyncio.run(in_a_notebook())]
print(json.dumps([*found, release(out, third, tag="monthly")]))
"""
"""In a process of its own, without the settings of Prefect that other tests leave behind."""


@pytest.mark.weights
def test_a_build_runs_any_number_of_times_in_one_process(footage: Path, tmp_path: Path) -> None:
    recipes = [tmp_path / f"{seed}.yaml" for seed in range(3)]
    for seed, path in enumerate(recipes):
        path.write_text(RECIPE.format(seed=min(seed, 1), footage=footage))
    with recipes[2].open("a") as file:  # the second with another threshold: its rows are there
        file.write("filters: {subtle: 0.5}\n")
    out, home = tmp_path / "dataset", migrated(tmp_path / "prefect")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    ran = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, *map(str, recipes), str(out)],
        env=kept | SETTINGS | {"PYTHONPATH": str(REPOSITORY), "PREFECT_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert "never awaited" not in ran.stderr
    first, again, second, released = json.loads(ran.stdout.splitlines()[-1])
    assert (first["release"], first["totals"]["made"]) == ("v1", 1)
    assert again == first  # nothing was left to do
    assert second["release"] == "v2"
    assert second["stages"][0]["reused"] == 1  # the source was cut before
    assert released["release"] == "monthly"
    of_first, of_second, monthly = catalog.open(out).releases()
    assert [each.tag for each in (of_first, of_second, monthly)] == ["v1", "v2", "monthly"]
    assert of_second.selection == monthly.selection != of_first.selection


def test_a_release_of_what_was_never_built_is_refused_and_changes_nothing(
    footage: Path, tmp_path: Path
) -> None:
    recipe, out = tmp_path / "r.yaml", tmp_path / "dataset"
    recipe.write_text(RECIPE.format(seed=0, footage=footage))
    made = catalog.open(out, create=True).select("other", "{}", Policy(), "1.0")
    made.become_main()
    with pytest.raises(EditmillError, match="has nothing to release; run a build first"):
        release.fn(str(out), str(recipe))
    assert catalog.open(out).selection.name == "other"


def test_a_wrong_request_is_refused_before_any_work(footage: Path, tmp_path: Path) -> None:
    recipe, out = tmp_path / "r.yaml", tmp_path / "dataset"
    recipe.write_text(RECIPE.format(seed=0, footage=footage))
    with pytest.raises(EditmillError, match="'a b' is no tag"):
        request(str(recipe), out, tag="a b")
    (tmp_path / "model.safetensors").write_bytes(b"no model")
    model = f"filters: {{quality_model: {tmp_path / 'model.safetensors'}}}\n"
    recipe.write_text(RECIPE.format(seed=0, footage=footage) + model)
    with pytest.raises(EditmillError, match="make another one with"):
        request(str(recipe), out)
    assert not out.exists()
