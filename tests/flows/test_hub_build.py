"""Whole builds by models of the hub: tiny checkpoints of their own classes, opened by the
providers' own code, and language models on a server of OpenAI's protocol.

What each provider does is held to by the suite of its slot; here it is how a build uses them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

import catalog
from catalog.query import Queries
from catalog.records import VLM_SCORES
from experts.providers import provider
from flows.cli import app
from tests.checkpoints import qwen_image_edit
from tests.flows.hub_models import (
    CAPTION,
    LOOKS,
    PAINTED,
    REGION,
    REPLACEMENTS,
    ScriptedServer,
    pairs_recipe,
    records_recipe,
    serverless_recipe,
)

pytestmark = [pytest.mark.weights, pytest.mark.timeout(900)]

REPOSITORY = Path(__file__).parents[2]

SCRIPT = """
import gc, json, sys
from pathlib import Path

from flows.build import build

assert "torch" not in sys.modules  # it takes seconds, and a build that finds all done needs none

from tests.checkpoints import qwen_image_edit

gc.freeze()
qwen_image_edit.look_at_small_pictures()
for line in sys.stdin:
    recipe, out = json.loads(line)
    first = build.fn(recipe, out).data
    for note in (Path(out) / "work" / "build").rglob("*.json"):
        note.unlink()  # of a finished build: each record is looked for in the journal
    print(json.dumps([first, build.fn(recipe, out).data]), flush=True)
"""
"""In a process of its own: pairs are rebuilt in another one than they were built in."""

NAMES = ("pairs", "serverless", "records")


@dataclass
class Built:
    """What is built by each recipe, twice, when a test first asks for it: so none waits for all."""

    folder: Path
    server: ScriptedServer
    builder: subprocess.Popen[str]
    outcomes: dict[str, tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)

    def recipe(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"

    def outcome(self, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """What came of building, and of building again."""
        if name not in self.outcomes:
            assert self.builder.stdin and self.builder.stdout
            asked = [str(self.recipe(name)), str(self.folder / name)]
            print(json.dumps(asked), file=self.builder.stdin, flush=True)
            told = next((line for line in self.builder.stdout if line.startswith('[{"')), "")
            assert told, (self.folder / "builder.log").read_text()[-4000:]
            first, again = json.loads(told)
            self.outcomes[name] = first, again
        return self.outcomes[name]

    def out(self, name: str) -> Path:
        self.outcome(name)
        return self.folder / name

    def dataset(self, name: str, ref: str = "main") -> Queries:
        return catalog.open(self.out(name), ref=ref)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """All is built offline; checkpoints are found in a mirror of the hub, at the registry's
    commits."""
    folder, server = tmp_path_factory.mktemp("hub"), ScriptedServer()
    mirror, url = folder / "mirror", server.url
    recipes = {
        "pairs": pairs_recipe(folder, mirror, url),
        "serverless": serverless_recipe(folder, mirror),
        "records": records_recipe(folder, mirror, url),
    }
    qwen_image_edit.look_at_small_pictures()
    for name, recipe in recipes.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.MonkeyPatch.context() as patched, (folder / "builder.log").open("w") as log:
        patched.setenv("EDITMILL_MIRROR", str(mirror))
        patched.setenv("EDITMILL_OFFLINE", "1")
        builder = subprocess.Popen(
            [sys.executable, "-P", "-c", SCRIPT],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        with builder:  # which ends with its input
            yield Built(folder, server, builder)
    server.http.shutdown()
    server.http.server_close()


def rows(frame: pl.LazyFrame) -> list[dict[str, Any]]:
    return list(frame.collect().iter_rows(named=True))


def licence_of(slot: str, name: str) -> str:
    known = provider(slot, name)
    return f"{known.licence} ({known.licence_from})"


def test_a_clip_is_described_and_its_objects_followed(built: Built) -> None:
    dataset = built.dataset("pairs")
    (clip,) = rows(dataset.clips())
    assert (clip["caption"], clip["caption_by"]) == (CAPTION["short"], "vlm")
    assert clip["detailed_caption"] == CAPTION["detailed"]
    assert clip["phrases"] == CAPTION["objects"]
    assert {track["label"] for track in rows(dataset.tracks())} <= set(CAPTION["objects"])
    assert not rows(dataset.failures())


def test_pairs_are_painted_and_say_by_whom(built: Built) -> None:
    pairs = rows(built.dataset("pairs").pairs())
    painted = [pair for pair in pairs if pair["task"] in PAINTED]
    assert {pair["task"] for pair in pairs} == {*PAINTED, "depth_detection"}
    frames = {"object_swap": "flux2_klein", "global_style_transfer": "qwen_image_edit"}
    recipe = yaml.safe_load(built.recipe("pairs").read_text())
    for pair in painted:
        params = json.loads(pair["params"])
        first = frames.get(pair["task"], "")
        assert pair["expert"] == "wan_vace"
        assert params["served_by"]["edit"] == recipe["experts"][pair["task"]]
        assert params["first_frame"] == first
        assert params["served_by"].get("first_frame", {}).get("provider", "") == first
        assert (pair["output_licence"], pair["may_train"]) == ("Apache-2.0", True)
    (depth,) = (pair for pair in pairs if pair["task"] == "depth_detection")
    assert json.loads(depth["params"])["served_by"]["depth"] == recipe["models"]["depth"]


def test_a_capable_model_names_and_writes(built: Built) -> None:
    pairs = rows(built.dataset("pairs").pairs())
    words = {pair["task"]: pair for pair in pairs}
    for task in ("object_removal", "object_swap"):
        assert words[task]["instruction_by"] == "model"
        assert words[task]["instruction_model"].startswith("scripted@")
    swap, look = words["object_swap"], words["local_style_transfer"]
    assert json.loads(swap["params"])["replacement"] in REPLACEMENTS["candidates"]
    assert json.loads(look["params"])["look"] in LOOKS["candidates"]
    assert look["instruction_by"] == "template"  # the server writes of nothing but removals


def test_of_two_attempts_the_judge_keeps_one(built: Built) -> None:
    pairs = rows(built.dataset("pairs").pairs())
    for task in PAINTED:
        own = [pair for pair in pairs if pair["task"] == task]
        assert len(own) == 2 and len({pair["seed"] for pair in own}) == 2
        assert len({pair["target_video"] for pair in own} | {p["source_video"] for p in own}) == 3
        assert sorted((pair["vlm_best_score"], pair["keep"], pair["reason"]) for pair in own) == [
            (0.0, False, "not_best"),
            (1.0, True, ""),
        ]
        for pair in own:
            graded = [pair[f"vlm_{name}_score"] for name in ("instruction", "preservation")]
            assert graded == [5.0, 5.0] and pair["vlm_motion_score"] == 1.0
    scored = built.dataset("pairs").scores().filter(pl.col("filter").is_in(VLM_SCORES))
    assert scored.select(pl.len()).collect().item() == len(pairs) * len(VLM_SCORES)


COMMIT = re.compile(r"^[^:]+/[^:]+@[0-9a-f]{40}$")
SERVED = "that of the model which the server serves"
USED = {
    "pairs": [
        *[("detect", "grounding_dino"), ("track", "sam2_video"), ("depth", "depth_anything")],
        *[("encode", "open_clip"), ("edit", "wan_vace")],
        *[("first_frame", "flux2_klein"), ("first_frame", "qwen_image_edit")],
    ],
    "serverless": [
        *[("captions", "blip2"), ("detect", "grounding_dino"), ("track", "sam2_video")],
        *[("encode", "open_clip"), ("edit", "wan_vace_14b"), ("judge", "transformers")],
        *[("first_frame", "flux_fill"), ("first_frame", "controlnet_hed")],
    ],
    "records": [("track", "sam3")],
}
SLOTS_SERVED = {
    "pairs": {"captions", "write", "judge"},
    "serverless": set(),
    "records": {"captions", "region_captions"},
}
FILES = {
    "pairs": {"transnetv2", "hed_bsds500"},  # a style follows the scribble of HED's edges
    "serverless": {"transnetv2", "hed_bsds500", "smollm2_135m"},
    "records": {"transnetv2", "raft_things"},
}


@pytest.mark.parametrize("name", NAMES)
def test_a_release_names_its_models_and_their_licences(built: Built, name: str) -> None:
    models = rows(built.dataset(name, "v1").models())
    checkpoints = {m["name"]: m["licence"] for m in models if COMMIT.search(m["origin"])}
    assert checkpoints == {own: licence_of(slot, own) for slot, own in USED[name]}
    served = {m["model_id"]: m["licence"] for m in models if m["version"] == "as served"}
    assert served == {f"{slot}/scripted": SERVED for slot in SLOTS_SERVED[name]}
    others = {m["name"] for m in models} - set(checkpoints) - {"scripted"}
    assert others == FILES[name]
    assert all(m["licence"] for m in models)


@pytest.mark.parametrize("name", NAMES)
def test_another_build_asks_for_and_makes_nothing(built: Built, name: str) -> None:
    first, again = built.outcome(name)
    assert again["release"] == first["release"] == "v1" and again["unchanged"]
    assert again["totals"]["models"] == {}
    stages = {line["stage"]: line for line in again["stages"]}
    computed = {"plan", "bank", "draw", "report"}  # drawn anew at no cost
    for stage, line in stages.items():
        assert stage in computed or line["reused"] == line["records"] > 0, stage


def test_tokens_are_counted(built: Built) -> None:
    outcomes = {name: built.outcome(name)[0] for name in NAMES}
    spent = {name: outcome["totals"]["models"] for name, outcome in outcomes.items()}
    assert spent["serverless"] == {}
    for name in ("pairs", "records"):
        (used,) = spent[name].values()
        assert used["prompt_tokens"] == 100 * used["requests"]
        assert any(note.startswith("scripted: ") for note in outcomes[name]["notes"])
    asked = sum(spent[name]["scripted"]["requests"] for name in ("pairs", "records"))
    assert asked == built.server.asked.total()  # so nothing by a build again
    assert set(built.server.asked) == {
        *("caption", "region", "replacement", "look", "instruction", "judgement", "comparison")
    }


def test_a_model_without_words_is_asked_for_no_object(built: Built) -> None:
    """BLIP-2 names none, so the detector looks for its vocabulary; a judge of random weights gives
    no answer that can be read, and rejects nothing."""
    dataset = built.dataset("serverless")
    (clip,) = rows(dataset.clips())
    assert clip["caption"] and clip["caption_by"] == "blip2" and clip["phrases"] == []
    assert {track["label"] for track in rows(dataset.tracks())} == {"car"}
    pairs = {pair["task"]: pair for pair in rows(dataset.pairs())}
    frames = {"object_swap": "flux_fill", "global_style_transfer": "controlnet_hed"}
    assert pairs.keys() == frames.keys()
    for task, pair in pairs.items():
        assert pair["expert"] == "wan_vace_14b"
        assert pair["may_train"] is (task != "object_swap")  # FLUX.1-Fill's outputs may not
        assert json.loads(pair["params"])["first_frame"] == frames[task]
        assert (pair["vlm_render_score"], pair["vlm_render_reason"]) == (None, "abstained")
        assert not pair["reason"].startswith("vlm")


def test_records_are_followed_by_words_and_described(built: Built) -> None:
    dataset = built.dataset("records")
    assert {track["label"] for track in rows(dataset.tracks())} <= set(CAPTION["objects"])
    made = rows(dataset.local_edits())
    assert {edit["subset"] for edit in made} == {"video", "image"}
    for edit in made:
        if edit["task"] != "deletion":
            assert edit["caption_by"].startswith("vlm ")
            texts = [edit[f"caption_{length}"] for length in ("short", "medium", "long")]
            assert texts == [REGION[length] for length in ("short", "medium", "long")]
    moved = [edit["motion_background"] for edit in made if edit["subset"] == "video"]
    assert any(motion is not None and motion > 0 for motion in moved)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        *(("pairs", task) for task in ("object_swap", "global_style_transfer", "depth_detection")),
        ("serverless", "object_swap"),
    ],
)
def test_a_pair_is_rebuilt_byte_for_byte(
    built: Built, name: str, task: str, tmp_path: Path
) -> None:
    pair = next(pair for pair in rows(built.dataset(name).pairs()) if pair["task"] == task)
    args = ["rebuild", pair["pair_id"], "--catalog", str(built.out(name)), "--check"]
    told = CliRunner().invoke(app, [*args, "--out", str(tmp_path)], catch_exceptions=False)
    assert told.exit_code == 0 and "identical, byte for byte" in told.output
    for side in ("source", "target"):
        stored = built.dataset(name).path(pair[f"{side}_video"])
        assert (tmp_path / f"{side}.mp4").read_bytes() == stored.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_commands_tell_what_the_recipe_needs(built: Built, name: str) -> None:
    def editmill(*args: str) -> dict[str, Any]:
        told = CliRunner().invoke(app, [*args, "--json"], catch_exceptions=False)
        assert told.exit_code == 0, told.output
        found: dict[str, Any] = json.loads(told.stdout)
        return found

    recipe = str(built.recipe(name))
    estimate = editmill("build", recipe, "--out", str(built.out(name)), "--dry-run")
    assert estimate["problems"] == [] and estimate["clips"] == 1
    assert estimate["there"]["clips"] == 1
    needed = {each["name"]: each for each in editmill("models", "--recipe", recipe)["models"]}
    for slot, own in USED[name]:
        known = provider(slot, own)
        assert needed[own]["state"] == "here"
        assert needed[own]["checkpoint"].startswith(f"{known.checkpoint.repo}@")
        assert needed[own]["gpu"] == 0  # on a processor
    assert {own for _, own in USED[name]} <= {each["name"] for each in estimate["providers"]}
    assert estimate["gpu"] == []
    assert "efficientdet_lite2" not in needed  # of a tracker by words, or replaced
