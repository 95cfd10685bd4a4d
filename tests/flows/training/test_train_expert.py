"""`editmill train expert`: from a catalog's clips to a version that a recipe names."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import Result
from filelock import FileLock
from typer.testing import CliRunner

import catalog
from catalog import trained
from catalog.errors import EditmillError
from catalog.records import Clip, Track
from experts import serving
from experts.diffusion.training import loop
from experts.edit.job import DecodedClip, Job, carry_out
from flows import recipe
from flows.cli import app
from flows.runtime.context import Context, context
from flows.stages import edit
from flows.stages.plan import PlannedClip
from flows.training.experts.settings import opened
from tests.flows.tiny_training import Written, write_base, write_catalog

TINY: dict[str, Any] = {
    "expert": "remover",
    "stages": [
        {
            "height": 32,
            "width": 48,
            "frames": 9,
            "steps": 14,
            "batch_size": 4,
            "per_device_batch_size": 4,
            "learning_rate": 3e-3,
            "lr_warmup_steps": 1,
        },
    ],
    "examples": {"per_clip": 4, "stride": 1},
    "precision": "fp32",
    "gradient_checkpointing": False,
    "dataloader_workers": 0,
    "ema_decay": 0.5,
    "checkpoint_every": 4,
    "data": {"held_out": 0.3, "max_area": 0.5},
    "evaluate": {"noise_levels": 4, "sampled": 2, "steps": 2, "max_psnr_drop": 99},
    "serve": {"steps": 2},
}

WORSE = {**TINY, "stages": [{**TINY["stages"][0], "steps": 1, "learning_rate": 1e-9}]}
"""Learns nothing."""

OTHER = {**TINY, "seed": 7}
"""A training that never runs."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


def train(root: Path, settings: dict[str, Any], base: Path | None, *more: str) -> Result:
    torch.set_num_threads(1)
    config = root.parent / "tiny.yaml"
    config.write_text(yaml.safe_dump(settings))
    named = [] if base is None else ["--base", str(base)]
    command = ["train", "expert", "remover", "--catalog", str(root), "--config", str(config)]
    return CliRunner().invoke(app, [*command, *named, *more])


def outcome(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output + repr(result.exception)
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write_catalog(tmp_path_factory.mktemp("data") / "catalog")


@pytest.fixture(scope="module")
def first(written: Written, base: Path) -> dict[str, Any]:
    return outcome(train(written.root, TINY, base, "--json"))


def test_a_version_is_trained_judged_registered_and_promoted(written: Written, first) -> None:
    assert first["promoted"], first
    metrics = first["metrics"]
    assert metrics["rival"] == "untrained" and metrics["loss"] < metrics["rival_loss"]
    assert metrics["held_out_sources"] >= 1 and metrics["sampled"] == 2
    row = trained.find(catalog.open(written.root), "remover", "latest")
    assert row.model_id == first["model_id"] and row.kind == "expert" and row.parent == ""
    assert row.data_ref.startswith("main@clips=") and "CC0-1.0" in row.licence
    assert row.config["recipe"]["stages"][0]["steps"] == 14
    folder = written.root / row.path
    assert {path.name for path in folder.iterdir()} >= {
        "config.json", "diffusion_pytorch_model.safetensors", "scheduler", "serving.json",
    }  # fmt: skip
    assert not list((written.root / "work/training/remover").rglob("step-*"))  # large


def test_again_nothing_is_left_to_do(written: Written, base: Path, first) -> None:
    again = train(written.root, TINY, base)
    assert "Nothing was left to do" in again.stdout and first["model_id"] in again.stdout
    assert len(trained.versions(catalog.open(written.root), "remover")) == 1


def test_a_worse_version_is_registered_but_not_promoted(
    written: Written, base: Path, first, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    worse = outcome(train(written.root, {**WORSE, "dataloader_workers": 1}, base, "--json"))
    assert complaints == []  # of torch, where a worker of its loader ends otherwise than it expects
    assert not worse["promoted"] and worse["reason"] == "loss_not_lower"
    assert worse["metrics"]["rival"] == first["model_id"]
    dataset = catalog.open(written.root)
    assert trained.find(dataset, "remover", worse["version"]).promoted is False
    assert trained.find(dataset, "remover", "latest").version == first["version"]


def _context(written: Written, experts: dict[str, str]) -> Context:
    made = recipe.Recipe.model_validate(
        {
            "name": "tiny",
            "sources": [{"kind": "folder", "path": "."}],
            "plan": {"weights": {"object_removal": 1}},
            "experts": experts,
        }
    )
    pinned = serving.pinned(made.experts, written.root)
    return context(written.root, made.model_copy(update={"experts": pinned}))


def _job(written: Written) -> Job:
    tables = catalog.open(written.root).tables
    clip = next(c for c in tables.records("clips") if c.clip_id == written.plan.clip_id)
    tracks = {t.track_id: t for t in tables.records("tracks") if t.clip_id == clip.clip_id}
    assert isinstance(clip, Clip) and all(isinstance(t, Track) for t in tracks.values())
    return Job(written.plan, clip, tracks)


def test_a_recipe_that_names_it_is_served_by_it(written: Written, first) -> None:
    ctx = _context(written, {"remover": "cogvideox@latest"})
    assert ctx.recipe.experts == {"remover": f"cogvideox@{first['version']}"}
    job = _job(written)
    shard = [PlannedClip(job.clip, job.tracks, [job.plan])]
    (made,) = edit.run(ctx, shard)
    assert made.expert == "cogvideox-remover"
    assert made.expert_version.startswith(first["version"] + "+")
    assert made.info["model_size"] == [9, 32, 48] and made.info["windows"] == 2

    # The journal knows it: nothing is computed again.
    computed = ctx.stats.stage(edit.STAGE).done
    assert edit.run(ctx, shard) == [made] and ctx.stats.stage(edit.STAGE).done == computed

    # From the row alone the same expert is found, and makes the same bytes.
    pair: Any = type("Row", (), {"task": "object_removal", "expert": made.expert,
                                 "expert_version": made.expert_version, "params": {}})  # fmt: skip
    expert = serving.that_made(ctx.catalog, pair)
    assert (expert.name, expert.version) == (made.expert, made.expert_version)
    footage = DecodedClip(ctx.catalog, ctx.catalog.media)
    results = [carry_out(job, footage, expert) for _ in range(2)]
    assert np.array_equal(results[0].frames, results[1].frames)
    real, masks = footage.frames(job), results[0].masks
    assert masks is not None and results[0].frames.shape == real.shape
    assert np.array_equal(results[0].frames[~masks], real[~masks])
    assert not np.array_equal(results[0].frames[masks], real[masks])


def test_a_recipe_may_name_a_cache(written: Written, first) -> None:
    ctx = _context(written, {"remover": "cogvideox@latest/pyramid"})
    assert ctx.recipe.experts == {"remover": f"cogvideox@{first['version']}/pyramid"}
    job = _job(written)
    (made,) = edit.run(ctx, [PlannedClip(job.clip, job.tracks, [job.plan])])
    assert made.expert_version.startswith(f"{first['version']}/pyramid+")
    assert made.info["cache"] == "pyramid"
    pair: Any = type("Row", (), {"task": "object_removal", "expert": made.expert,
                                 "expert_version": made.expert_version, "params": {}})  # fmt: skip
    expert = serving.that_made(ctx.catalog, pair)
    assert expert is serving.serving(ctx.catalog, ctx.recipe.experts, "object_removal")
    with pytest.raises(EditmillError, match="cache 'teacache' is not known; use one of: none, "):
        _context(written, {"remover": "cogvideox@latest/teacache"})


def test_an_unnamed_expert_is_the_embedded_one(written: Written, first) -> None:
    ctx = _context(written, {})
    assert serving.serving(ctx.catalog, ctx.recipe.experts, "object_removal").name == "remover-flow"
    assert "experts" not in ctx.recipe.decisions()
    one = _context(written, {"object_removal": "cogvideox@latest"})
    assert (
        serving.serving(one.catalog, one.recipe.experts, "object_removal").name
        == "cogvideox-remover"
    )
    assert (
        serving.serving(one.catalog, one.recipe.experts, "object_addition").name == "remover-flow"
    )


def test_a_killed_training_goes_on_and_ends_the_same(
    written: Written, base: Path, first, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_catalog(tmp_path / "catalog")
    whole = loop._backward
    steps: list[int] = []

    def dies(recipe: Any, step: int, *rest: Any) -> Any:
        if step == 9:
            raise KeyboardInterrupt
        steps.append(step)
        return whole(recipe, step, *rest)

    monkeypatch.setattr(loop, "_backward", dies)
    assert train(other.root, TINY, base).exit_code != 0
    monkeypatch.setattr(
        loop, "_backward", lambda r, step, *rest: steps.append(step) or whole(r, step, *rest)
    )
    ended = outcome(train(other.root, TINY, base, "--json"))
    assert steps == [*range(9), *range(8, 14)]  # from the checkpoint of step 8
    assert ended["version"] == first["version"]  # the same weights, to the byte
    assert ended["metrics"] == first["metrics"]


def opened_folder(root: Path, base: Path) -> Path:
    (root.parent / "tiny.yaml").write_text(yaml.safe_dump(OTHER))
    run = opened(root, "remover", config=root.parent / "tiny.yaml", base=base)
    run.folder.mkdir(parents=True)
    return run.folder


def failure(result: Result) -> str:
    assert isinstance(result.exception, EditmillError), result.output + repr(result.exception)
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_bad_input_is_told_in_one_line(
    written: Written, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDITMILL_COGVIDEOX_2B", raising=False)
    monkeypatch.setenv("EDITMILL_OFFLINE", "1")
    root = written.root
    said = failure(train(root, TINY, None))
    assert "zai-org/CogVideoX-2b@" in said
    assert "not on this machine" in said
    assert "set EDITMILL_COGVIDEOX_2B to the folder" in said
    assert "nowhere: not there" in failure(train(root, TINY, Path("/nowhere")))
    wide = write_base(tmp_path / "wide", in_channels=32)
    assert "is built on CogVideoX-2b with 16" in failure(train(root, TINY, wide))
    assert "`evaluate.level`" in failure(train(root, TINY | {"evaluate": {"level": 3}}, base))
    assert "unknown key `speed`" in failure(train(root, TINY | {"speed": 3}, base))
    assert "is for the inpainter" in failure(train(root, TINY | {"expert": "inpainter"}, base))
    assert "has no ref 'v9'" in failure(train(root, TINY, base, "--ref", "v9"))
    bare = write_catalog(tmp_path / "bare", sources=2, objects=False)
    assert "none of 2 clips has an object's track" in failure(train(bare.root, TINY, base))
    single = write_catalog(tmp_path / "single", sources=1)
    assert "all clips are of one source" in failure(train(single.root, TINY, base))
    with FileLock(opened_folder(root, base) / "lock"):
        assert "another process runs this" in failure(train(root, OTHER, base))
    five = {**TINY["stages"][0], "frames": 5}
    assert "8 n + 1 frames only" in failure(train(root, TINY | {"stages": [five]}, base))
    broken = tmp_path / "broken"
    shutil.copytree(base, broken)
    shutil.rmtree(broken / "vae")
    assert "name the whole checkpoint's folder" in failure(train(root, TINY, broken))


def test_a_recipe_that_names_what_is_not_there(written: Written, first, tmp_path: Path) -> None:
    with pytest.raises(EditmillError, match="has no version 'abc'"):
        _context(written, {"remover": "cogvideox@abc"})
    with pytest.raises(EditmillError, match="has no promoted version"):
        _context(written, {"inpainter": "cogvideox@latest"})
    with pytest.raises(EditmillError, match="no catalog there"):
        _context(Written(tmp_path, written.plan), {"remover": "cogvideox@latest"})
    for makes_, says in (
        ("{deblur: cogvideox@latest}", "nothing trained serves 'deblur'"),
        ("{remover: sora}", "experts.remover"),
    ):
        text = "name: x\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"
        with pytest.raises(EditmillError, match=says):
            recipe.parse(text + f"experts: {makes_}", "x")
