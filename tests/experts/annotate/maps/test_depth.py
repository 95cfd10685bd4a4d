"""Depth: a checkpoint of the real class through the real code, and what makes it steady."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import EditmillError
from experts.annotate.maps import depth
from experts.annotate.maps.depth import VARIABLE, DepthModel, greys, steadied
from experts.base import EditRequest
from experts.edit.maps.depth import DepthMap


def footage(frames: int = 5, height: int = 96, width: int = 160) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), np.uint8)


def scene() -> np.ndarray:
    """Disparity [6, 40, 60] of a near box before a wall that recedes to the right."""
    wall = np.linspace(3, 1, 60, dtype=np.float32) * np.ones((40, 1), np.float32)
    wall[10:30, 10:25] = 8
    return np.repeat(wall[None], 6, axis=0)


def test_a_model_of_the_real_class_gives_a_map_of_the_frames_size(
    tiny_depth: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tiny_depth))
    expert, request = DepthMap(), EditRequest("depth_detection", footage())
    expert.load()
    made = expert.edit(request)
    assert made.frames.shape == request.frames.shape
    assert (made.frames == made.frames[..., :1]).all()
    assert made.info["darkest"] < made.info["brightest"]
    assert np.ptp(made.frames) > 200
    again = DepthMap()
    assert again.edit(request).frames.tobytes() == made.frames.tobytes()
    expert.close()
    assert expert.edit(request).frames.tobytes() == made.frames.tobytes()


def test_a_batch_is_its_frames(tiny_depth: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tiny_depth))
    model, frames = DepthModel(), footage(depth.BATCH + 1)
    together = model.disparity(frames)
    assert together.shape == (depth.BATCH + 1, 56, 98)  # at the model's size, in the frames' shape
    alone = np.concatenate([model.disparity(frame[None]) for frame in frames])
    assert np.allclose(together, alone, atol=1e-4)


def test_the_version_is_the_checkpoints(
    tiny_depth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tiny_depth))
    version = DepthModel().version
    other = tmp_path / "other"
    shutil.copytree(tiny_depth, other)
    monkeypatch.setenv(VARIABLE, str(other))
    assert DepthModel().version == version  # the same bytes elsewhere
    weights = bytearray((other / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    third = tmp_path / "third"
    shutil.copytree(tiny_depth, third)
    (third / "model.safetensors").write_bytes(weights)
    monkeypatch.setenv(VARIABLE, str(third))
    assert DepthModel().version != version


def test_near_is_bright_and_the_wall_recedes() -> None:
    grey, (low, high) = greys(scene(), (80, 120))
    assert grey.shape == (6, 80, 120)
    assert grey[:, 40, 35].min() == 255
    assert (np.diff(grey[0, 70].astype(int)) <= 0).all()
    assert low == pytest.approx(1, abs=0.1) and high == pytest.approx(8)
    assert not greys(np.ones((2, 4, 4), np.float32), (8, 8))[0].any()


def test_a_still_scene_keeps_its_grey_whatever_scale_each_frame_has() -> None:
    rng = np.random.default_rng(0)
    gain = rng.uniform(0.6, 1.6, (6, 1, 1)).astype(np.float32)
    offset = rng.uniform(-3, 3, (6, 1, 1)).astype(np.float32)
    jumping, _ = greys(scene() * gain + offset, (40, 60))
    steady, _ = greys(steadied(scene() * gain + offset), (40, 60))
    assert np.ptp(jumping.astype(int), axis=0).mean() > 30
    assert np.ptp(steady.astype(int), axis=0).mean() < 12


def test_a_slow_zoom_passes() -> None:
    nearer = scene() * np.linspace(1, 2, 6, dtype=np.float32)[:, None, None]
    steady = steadied(nearer, smooth=0.5)
    assert steady[-1].mean() > 1.6 * steady[0].mean()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "set EDITMILL_DEPTH to the folder of one, or to a hub id"),
        ("{tmp}/empty", "config.json, model.safetensors, preprocessor_config.json missing"),
        ("no-such-owner/no-such-model", "neither a folder here nor to be had from the hub"),
    ],
)
def test_a_checkpoint_that_cannot_be_had_is_one_line(
    value: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv(VARIABLE, value.format(tmp=tmp_path))
    monkeypatch.setenv("EDITMILL_OFFLINE", "1")
    for act in (lambda: DepthMap().version, DepthMap().load):
        with pytest.raises(EditmillError) as raised:
            act()
        assert says in str(raised.value)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "change", [{"model_type": "zoedepth"}, {"depth_estimation_type": "metric"}]
)
def test_a_model_that_predicts_distances_or_nothing_is_refused(
    change: dict, tiny_depth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "other"
    shutil.copytree(tiny_depth, folder)
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv(VARIABLE, str(folder))
    with pytest.raises(EditmillError, match="EDITMILL_DEPTH to a") as raised:
        DepthModel().load()
    assert "\n" not in str(raised.value)


def test_without_transformers_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("config.json", "model.safetensors", "preprocessor_config.json"):
        (tmp_path / name).touch()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EditmillError, match=r"pip install -e '.\[depth\]'"):
        _ = DepthModel().version
