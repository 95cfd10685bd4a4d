"""What every provider of the slot `depth` must do; a new one gets a line in CHECKPOINTS."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from catalog.errors import EditmillError
from experts.base import Model
from experts.providers import chosen, providers
from experts.providers.choice import choice_of

pytest.importorskip("transformers")

CHECKPOINTS = {"depth_anything": "tiny_depth"}
"""Fixture with a tiny checkpoint of the provider."""


@pytest.fixture(params=sorted(CHECKPOINTS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def checkpoint(name: str, request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(CHECKPOINTS[name]))


def depth(name: str, checkpoint: Path, **options: object):
    options = {"provider": name, "checkpoint": str(checkpoint), "device": "cpu", **options}
    return chosen(choice_of("depth", options))


def footage(frames: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, 96, 160, 3), np.uint8)


def test_every_provider_is_tested() -> None:
    assert set(providers("depth")) == set(CHECKPOINTS)


def test_disparity_per_frame(name: str, checkpoint: Path) -> None:
    model, frames = depth(name, checkpoint, batch=2), footage()
    assert isinstance(model, Model) and model.device_bytes == 0
    before = frames.copy()
    found = model.disparity(frames)
    assert found.dtype == np.float32 and found.ndim == 3 and len(found) == len(frames)
    assert np.isfinite(found).all() and all(np.ptp(each) > 0 for each in found)
    assert np.array_equal(frames, before)
    alone = np.concatenate([model.disparity(frame[None]) for frame in frames])
    assert np.allclose(found, alone, atol=1e-4)


def test_the_same_again_and_after_closing(name: str, checkpoint: Path) -> None:
    model, frames = depth(name, checkpoint, batch=3), footage()
    model.load()
    opened = model._models
    model.load()
    assert model._models is opened
    first = model.disparity(frames)
    assert model.disparity(frames).tobytes() == first.tobytes()
    model.close()
    assert model._models is None
    assert model.disparity(frames).tobytes() == first.tobytes()


def test_a_version_without_loading(name: str, checkpoint: Path, tmp_path: Path) -> None:
    model = depth(name, checkpoint, batch=1)
    assert model.version and model._models is None
    other = tmp_path / "other"
    shutil.copytree(checkpoint, other)
    assert depth(name, other).version == model.version
    config = json.loads((other / "config.json").read_text())
    changed = tmp_path / "changed"
    shutil.copytree(other, changed)
    (changed / "config.json").write_text(json.dumps(config | {"x": 1}))
    assert depth(name, changed).version != model.version


def test_dtype_is_the_recipes(name: str, checkpoint: Path) -> None:
    frames = footage(2)
    half = depth(name, checkpoint, dtype="bfloat16")
    whole = depth(name, checkpoint, dtype="float32")
    a, b = half.disparity(frames), whole.disparity(frames)
    assert half._models[0].dtype == torch.bfloat16
    assert a.dtype == np.float32 and a.tobytes() != b.tobytes()
    assert np.abs(a - b).max() < 0.1 * np.ptp(b)


def test_a_bad_checkpoint_is_one_line(name: str, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(EditmillError, match=r"missing\); set `checkpoint` of `models") as said:
        depth(name, tmp_path).load()
    assert "\n" not in str(said.value)
    broken = tmp_path / "broken"
    shutil.copytree(checkpoint, broken)
    (broken / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(EditmillError, match="transformers can open") as said:
        depth(name, broken).load()
    assert "\n" not in str(said.value)
