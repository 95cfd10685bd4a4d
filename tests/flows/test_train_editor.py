"""`editmill train expert` for the models that learn from a dataset's edits."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import Result
from typer.testing import CliRunner

import catalog
from catalog import trained
from catalog.errors import EditmillError
from flows.cli import app
from tests.flows.tiny_training import write_base, write_catalog, write_pairs

STAGE: dict[str, Any] = {
    "height": 32, "width": 48, "frames": 9, "batch_size": 4, "per_device": 4,
    "learning_rate": 3e-3, "warmup_steps": 1,
}  # fmt: skip

TINY: dict[str, Any] = {
    "draws": {"per_clip": 2, "stride": 1},
    "precision": "fp32",
    "gradient_checkpointing": False,
    "workers": 0,
    "ema": 0.5,
    "data": {"held_out": 0.3},
    "judge": {"levels": 4, "sampled": 2, "steps": 2, "max_psnr_drop": 99},
    "serve": {"steps": 2},
}

I2V: dict[str, Any] = {
    "in_channels": 32,
    "use_rotary_positional_embeddings": True,
    "use_learned_positional_embeddings": True,
    "num_layers": 6,
}


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
    return written.root


@pytest.fixture(scope="module")
def senorita(root: Path, image_base: Path) -> dict[str, Any]:
    stages = [STAGE | {"epochs": 3}, STAGE | {"epochs": 2, "width": 32, "batch_size": 2,
                                              "per_device": 2}]  # fmt: skip
    return outcome(train(root, "senorita_editor", image_base, "--json", stages=stages))


def test_an_editor_learns_from_kept_pairs_and_is_promoted(root: Path, senorita) -> None:
    assert senorita["promoted"], senorita
    metrics = senorita["metrics"]
    learnt = 4 - metrics["held_out_sources"]  # a pair of each source; the rejected one not
    assert metrics["examples_learnt"] == learnt * 2 * 2  # windows, stages
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
