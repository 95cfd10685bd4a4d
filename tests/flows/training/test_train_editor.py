"""`editmill train expert` for the models that learn from a dataset's edits."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from click.testing import Result
from typer.testing import CliRunner

import catalog
from catalog import media, trained
from catalog.errors import EditmillError
from flows import recipe
from flows.cli import app
from tests.experts.diffusion.small_clips import Source
from tests.flows.tiny_training import (
    write_base,
    write_catalog,
    write_local_edits,
    write_pairs,
)

STAGE: dict[str, Any] = {
    "height": 32, "width": 48, "frames": 9, "batch_size": 4, "per_device_batch_size": 4,
    "learning_rate": 3e-3, "lr_warmup_steps": 1,
}  # fmt: skip

TINY: dict[str, Any] = {
    "examples": {"per_clip": 2, "stride": 1},
    "precision": "fp32",
    "gradient_checkpointing": False,
    "dataloader_workers": 0,
    "ema_decay": 0.5,
    "data": {"held_out": 0.3},
    "evaluate": {"noise_levels": 4, "sampled": 2, "steps": 2, "max_psnr_drop": 99},
    "serve": {"steps": 2},
}

I2V: dict[str, Any] = {
    "in_channels": 32,
    "use_rotary_positional_embeddings": True,
    "use_learned_positional_embeddings": True,
    "num_layers": 6,
}


ROTARY: dict[str, Any] = {"use_rotary_positional_embeddings": True}


def edit(name: str, root: Path, video: Path, out: Path, *more: str) -> Result:
    torch.set_num_threads(1)
    named = ["--catalog", str(root), "--out", str(out), "--json"]
    return CliRunner().invoke(app, ["edit", name, str(video), *named, *more])


def train(root: Path, name: str, base: Path, *more: str, **settings: Any) -> Result:
    torch.set_num_threads(1)
    config = root.parent / "tiny.yaml"
    config.write_text(yaml.safe_dump(TINY | {"expert": name} | settings))
    named = ["--catalog", str(root), "--config", str(config), "--base", str(base)]
    return CliRunner().invoke(app, ["train", "expert", name, *named, *more])


def outcome(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output + repr(result.exception)
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def failure(result: Result) -> str:
    assert isinstance(result.exception, EditmillError), result.output + repr(result.exception)
    assert "\n" not in str(result.exception)
    return str(result.exception)


@pytest.fixture(scope="module")
def image_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"), **I2V)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = write_catalog(tmp_path_factory.mktemp("data") / "catalog")
    write_pairs(written.root)
    write_local_edits(written.root)
    return written.root


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    video = tmp_path_factory.mktemp("video") / "clip.mp4"
    media.write_video(video, Source(7, 14, 80, 112).clip().frames, 25)
    return video


@pytest.fixture(scope="module")
def vivid(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    base = write_base(tmp_path_factory.mktemp("base"), **ROTARY)
    stages = [STAGE | {"steps": 12, "learning_rate": 1e-2}]
    mixed: dict[str, Any] = {"mix": {"images_per_video": 1}}
    return outcome(train(root, "vivid_editor", base, "--json", stages=stages, **mixed))


@pytest.fixture(scope="module")
def senorita(root: Path, image_base: Path) -> dict[str, Any]:
    stages = [STAGE | {"epochs": 3}, STAGE | {"epochs": 2, "width": 32, "batch_size": 2,
                                              "per_device_batch_size": 2}]  # fmt: skip
    return outcome(train(root, "senorita_editor", image_base, "--json", stages=stages))


def test_an_editor_learns_from_kept_pairs_and_is_promoted(root: Path, senorita) -> None:
    assert senorita["promoted"], senorita
    metrics = senorita["metrics"]
    learnt = 4 - metrics["held_out_sources"]  # a pair of each source; the rejected one not
    assert metrics["training_examples"] == learnt * 2 * 2  # windows, stages
    per_epoch = -(-learnt * 2 // 4), -(-learnt * 2 // 2)
    assert metrics["steps"] == 3 * per_epoch[0] + 2 * per_epoch[1]
    assert metrics["rival"] == "untrained" and metrics["loss"] < metrics["rival_loss"]
    row = trained.find(catalog.open(root), "senorita_editor", "latest")
    assert row.data_ref == "main@pairs=1" and row.licence.startswith("CogVideoX-5b-I2V's own")
    prompts = (root / "work/training/latents").glob("*/prompts/*")
    assert len(list(prompts)) == 3  # both phrasings, and none


def test_without_kept_pairs_nothing_is_learnt(image_base: Path, tmp_path: Path) -> None:
    bare = write_catalog(tmp_path / "bare", sources=2).root
    stages = [STAGE | {"steps": 1}]
    said = failure(train(bare, "senorita_editor", image_base, stages=stages))
    assert "none of 0 pairs is kept; build pairs first, or name another --ref" in said
    write_pairs(bare, keep=False)
    said = failure(train(bare, "senorita_ins_edit", image_base, stages=stages))
    assert "nothing for the senorita_ins_edit to learn from: none of 3 pairs is kept" in said


def test_the_editor_edits_a_video(root: Path, clip: Path, senorita, tmp_path: Path) -> None:
    shown = media.read_video(clip)
    first, out = tmp_path / "first.png", tmp_path / "out.mp4"
    cv2.imwrite(str(first), cv2.resize(255 - shown[0][..., ::-1], (96, 72)))
    asked = ("--prompt", "Invert it.", "--first-frame", str(first))
    made = json.loads(edit("senorita_editor", root, clip, out, *asked).stdout)
    assert made["side"] == "target" and made["info"]["windows"] == 2
    assert media.read_video(out).shape == shown.shape
    version = f"senorita_editor@{senorita['version']}"
    other = tmp_path / "again.mp4"
    assert edit(version, root, clip, other, *asked).exit_code == 0
    assert out.read_bytes() == other.read_bytes()


def test_vivids_editor_learns_from_local_edits_and_edits(
    root: Path, clip: Path, vivid, tmp_path: Path
) -> None:
    assert vivid["promoted"], vivid
    assert vivid["metrics"]["loss"] < vivid["metrics"]["rival_loss"]
    dataset = catalog.open(root)
    row = trained.find(dataset, "vivid_editor", "latest")
    assert row.data_ref == "main@local_edits=1"
    assert not list((root / row.path).glob("diffusion_pytorch_model*"))
    masks, out = tmp_path / "masks.mkv", tmp_path / "out.mp4"
    shown = media.read_video(clip)
    hole = np.zeros(shown.shape[:3], bool)
    hole[:, 8:40, 8:40] = True
    media.write_masks(masks, hole, 25)
    result = edit("vivid_editor", root, clip, out, "--prompt", "a disc", "--mask", str(masks))
    assert json.loads(result.stdout)["info"]["windows"] == 2, result.output
    error = np.abs(media.read_video(out).astype(int) - shown)
    assert error[hole].mean() > 2 * error[~hole].mean()  # what remains outside is H.264's


def test_bad_requests_are_told_in_one_line(
    root: Path, clip: Path, senorita, vivid, tmp_path: Path
) -> None:
    def refused(name: str, *more: str, where: Path = root) -> str:
        return failure(edit(name, where, clip, tmp_path / "o.mp4", *more))

    told = ("--prompt", "Invert it.")
    assert "editors: senorita_editor" in refused("senorita", *told)
    assert "give --prompt" in refused("senorita_editor")
    assert "needs an edited first frame; give one" in refused("senorita_editor", *told)
    missing = ("--first-frame", str(tmp_path / "none.png"))
    assert "cannot be found" in refused("senorita_editor", *told, *missing)
    (tmp_path / "text.png").write_text("no picture")
    text = ("--first-frame", str(tmp_path / "text.png"))
    assert "not an image" in refused("senorita_editor", *told, *text)
    assert "takes no first frame" in refused("object_removal", *told, *missing)
    assert "no catalog there" in refused("senorita_editor", *told, where=tmp_path)
    assert "no version 'abc'" in refused("vivid_editor@abc", *told)
    assert "has no promoted version" in refused("senorita_ins_edit", *told)
    with pytest.raises(EditmillError, match="nothing trained serves 'vivid_editor'"):
        recipe.parse(
            "name: x\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"
            "experts: {vivid_editor: cogvideox@latest}", "x",
        )  # fmt: skip


def test_without_records_nothing_is_learnt(image_base: Path, tmp_path: Path) -> None:
    bare = write_catalog(tmp_path / "bare", sources=2).root
    said = failure(train(bare, "vivid_editor", image_base, stages=[STAGE | {"steps": 1}]))
    assert "no local-editing record; build them first (editmill build vivid-embedded)" in said
