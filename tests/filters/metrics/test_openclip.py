"""A CLIP of the real class, tiny and never trained, through the real code."""

import json
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import EditmillError
from filters.metrics.openclip import OpenClip
from filters.metrics.similarity import clip_score

pytest.importorskip("open_clip")

FILES = ("open_clip_config.json", "open_clip_model.safetensors")


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.checkpoints.open_clip import make

    return make(tmp_path_factory.mktemp("clip"))


def test_a_checkpoint_gives_vectors_of_one_space(tiny_clip: Path) -> None:
    clip = OpenClip(str(tiny_clip))
    frames = np.random.default_rng(0).integers(0, 255, (20, 48, 80, 3), np.uint8)
    seen = clip.images(list(frames))
    assert seen.visual is seen.textual and seen.visual.shape == (20, 16)
    assert np.linalg.norm(seen.visual, axis=1) == pytest.approx(np.ones(20), abs=1e-5)
    text = clip.texts(["a red car", "a dog"])
    assert text.shape == (2, 16) and not np.allclose(text[0], text[1])
    scores = clip_score(seen.textual, text[0])
    assert (np.abs(scores) <= 1).all() and np.ptp(scores) > 0
    assert np.allclose(clip.images([frames[19]]).visual, seen.visual[19:], atol=1e-5)
    again = OpenClip(str(tiny_clip))
    assert again.version == clip.version and again.is_clip
    assert np.array_equal(again.images(list(frames)).visual, seen.visual)


def test_what_is_no_checkpoint_is_one_line(tiny_clip: Path, tmp_path: Path) -> None:
    with pytest.raises(EditmillError, match=r"open_clip_config\.json.*missing"):
        OpenClip(str(tmp_path)).load()
    for name in FILES:
        (tmp_path / name).write_bytes((tiny_clip / name).read_bytes())
    (tmp_path / FILES[1]).unlink()
    with pytest.raises(EditmillError, match=r"safetensors missing"):  # never random weights
        OpenClip(str(tmp_path)).load()
    (tmp_path / FILES[1]).write_bytes(b"not weights")
    with pytest.raises(EditmillError, match="no CLIP that open_clip can open") as caught:
        OpenClip(str(tmp_path)).load()
    assert "\n" not in str(caught.value)


def test_an_id_that_cannot_be_had_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITMILL_OFFLINE", "1")
    with pytest.raises(EditmillError, match="neither a folder here nor to be had") as caught:
        OpenClip("nobody/nothing").load()
    assert "\n" not in str(caught.value)


def test_a_clip_that_would_fetch_another_model_is_refused(tiny_clip: Path, tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes((tiny_clip / name).read_bytes())
    config = json.loads((tmp_path / FILES[0]).read_text())
    config["model_cfg"]["text_cfg"]["hf_model_name"] = "someone/text-model"
    (tmp_path / FILES[0]).write_text(json.dumps(config))
    with pytest.raises(EditmillError, match="another model on the hub"):
        OpenClip(str(tmp_path)).load()
