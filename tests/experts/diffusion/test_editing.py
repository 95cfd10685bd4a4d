"""Editing with trained editors: what leads them, what stays, and how long clips are covered."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from catalog.errors import BadInput
from experts.base import EditRequest, Expert, Frames, Masks
from experts.diffusion.editing import CogVideoXEditor
from experts.diffusion.expert import CogVideoXExpert
from experts.diffusion.model.build import build
from experts.diffusion.model.checkpoint import open_base, save_adapter
from experts.diffusion.model.fingerprint import ENCODERS, fingerprint
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.serving import Serving
from experts.diffusion.specs import EDITORS
from tests.experts.diffusion.small_clips import Source
from tests.flows.tiny_training import write_base

Make = Callable[[str], CogVideoXEditor]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    return write_base(folder, use_rotary_positional_embeddings=True)


@pytest.fixture
def made(base: Callable[..., Any], checkpoint: Path, tmp_path: Path) -> Make:
    torch.set_num_threads(1)

    def make(name: str) -> CogVideoXEditor:
        spec, folder = EDITORS[name], tmp_path / name
        plain = open_base(checkpoint) if spec.lora_rank else base("5B-I2V", num_layers=2)
        editor = build(replace(spec, control_layers=1), plain)
        learnt = editor.adapter_parameters() or {
            f"{part}.{k}": p
            for part, m in editor.added_modules().items()
            for k, p in m.named_parameters()
        }
        for parameter in learnt.values():
            parameter.data.normal_(std=0.2)
        if spec.lora_rank:
            save_adapter(editor, editor.state_dict(), folder, torch.float32)
        else:
            editor.save_pretrained(folder)
        scheduler(spec.base).save_pretrained(folder / "scheduler")
        encoders = fingerprint(checkpoint, ENCODERS)
        Serving(name, ((9, 32, 48),), 2, "ddim", "fp32", encoders).write(folder)
        return CogVideoXEditor(name, "abc", folder, checkpoint)

    return make


def request_for(name: str, frames: int = 12, height: int = 32, width: int = 48) -> EditRequest:
    scene = Source(0, frames, height, width)
    shown = scene.clip().frames
    spec = EDITORS[name]
    params = {"first_frame": 255 - shown[0]} if spec.first_frame else {}
    masks = scene.masks(0) if spec.mask else None
    return EditRequest(name, shown, masks, "Remove disc 1", seed=3, params=params)


@pytest.mark.parametrize("name", EDITORS)
def test_honours_the_contract_of_experts(made: Make, name: str) -> None:
    expert, request = made(name), request_for(name, height=48, width=64)
    before = request.frames.copy()
    assert isinstance(expert, Expert) and expert.version.startswith("abc+")
    result, again = expert.edit(request), expert.edit(request)
    assert result.frames.shape == request.frames.shape and result.frames.dtype == np.uint8
    assert np.array_equal(result.frames, again.frames)
    assert np.array_equal(request.frames, before)
    assert not np.array_equal(result.frames, request.frames)
    assert result.info["windows"] == 2 and result.info["model_size"] == [9, 32, 48]
    changed = expert.edit(replace(request, prompt="Generate disc 2"))
    assert not np.array_equal(result.frames, changed.frames)
    if result.masks is not None:
        assert np.array_equal(result.frames[~result.masks], before[~result.masks])


@pytest.mark.parametrize("name", ["senorita_editor", "senorita_ff_ins_edit"])
def test_a_first_frame_leads(made: Make, name: str) -> None:
    expert, request = made(name), request_for(name)
    other = replace(request, params={"first_frame": request.params["first_frame"] // 2})
    assert not np.array_equal(expert.edit(request).frames, expert.edit(other).frames)
    with pytest.raises(BadInput, match=f"{name} needs an edited first frame; give one"):
        expert.edit(replace(request, params={}))
    with pytest.raises(BadInput, match="the first frame is 48×16, the video 48×32"):
        expert.edit(replace(request, params={"first_frame": request.frames[0, :16]}))


def test_the_variants_without_take_none(made: Make) -> None:
    request = request_for("senorita_editor")
    with pytest.raises(BadInput, match="takes no first frame; leave it out"):
        made("senorita_ins_edit").edit(request)


class Seen:
    """Every window put to the model, and what came of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.frames: list[Frames] = []
        self.masks: list[Masks] = []
        window = CogVideoXExpert._window

        def note(expert: Any, frames: Frames, holes: Masks, first: Any, *rest: Any) -> Frames:
            assert first is None
            self.frames.append(frames.copy())
            self.masks.append(holes.copy())
            return window(expert, frames, holes, first, *rest)

        monkeypatch.setattr(CogVideoXExpert, "_window", note)


def test_a_keyframe_is_kept_and_shown_unmasked(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_for("vivid_editor", frames=9)
    assert request.masks is not None
    key = request.frames[0].copy()
    key[request.masks[0]] = (250, 10, 10)
    seen = Seen(monkeypatch)
    result = made("vivid_editor").edit(replace(request, params={"first_frame": key}))
    assert np.array_equal(result.frames[0], key)
    assert np.array_equal(seen.frames[0][0], key) and not seen.masks[0][0].any()
    assert np.array_equal(seen.masks[0][1:], request.masks[1:])
    unled = made("vivid_editor").edit(request)
    assert np.array_equal(seen.masks[1], request.masks)  # the first frame is masked, too
    assert not np.array_equal(unled.frames[1:], result.frames[1:])  # it is carried on


@pytest.mark.parametrize("led", [True, False])
def test_clips_of_a_long_video_are_chained(
    made: Make, monkeypatch: pytest.MonkeyPatch, led: bool
) -> None:
    request = request_for("vivid_editor", frames=22)
    assert request.masks is not None
    if led:
        request = replace(request, params={"first_frame": 255 - request.frames[0]})
    seen = Seen(monkeypatch)
    result = made("vivid_editor").edit(request)
    assert result.info["windows"] == 3 and result.frames.shape == request.frames.shape
    changed = (result.frames != request.frames).any(axis=-1)
    assert all(frame.any() for frame in changed) and not changed[~request.masks].any()
    # Windows begin at 0, 8 and 13: each on what the one before made of that frame, unmasked.
    for start, frames, masks in zip((8, 13), seen.frames[1:], seen.masks[1:], strict=True):
        core = request.masks[start] & (result.frames[start] != request.frames[start]).any(axis=-1)
        assert not masks[0].any() and np.array_equal(masks[1:], request.masks[start + 1 :][:8])
        outside = ~request.masks[start]
        assert np.array_equal(frames[0][outside], request.frames[start][outside])
        assert np.abs(frames[0][core].astype(int) - request.frames[start][core]).mean() > 5


def test_a_keyframe_can_be_edited_by_itself(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen(monkeypatch)
    request = request_for("vivid_editor", frames=1)
    result = made("vivid_editor").edit(request)
    assert result.info["model_size"] == [1, 32, 48] and seen.frames[0].shape[0] == 1
    assert not np.array_equal(result.frames, request.frames)


def test_where_nothing_is_masked_nothing_is_made(
    made: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_for("vivid_editor", frames=17)
    assert request.masks is not None
    request.masks[9:] = False
    seen = Seen(monkeypatch)
    result = made("vivid_editor").edit(request)
    assert len(seen.frames) == 1 and np.array_equal(result.frames[9:], request.frames[9:])
    with pytest.raises(BadInput, match="needs a mask"):
        made("vivid_editor").edit(replace(request, masks=None))
