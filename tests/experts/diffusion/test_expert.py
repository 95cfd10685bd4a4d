"""What a trained expert owes its callers, for each of the four, with tiny untrained weights."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from catalog.errors import BadInput, EditmillError
from experts.base import EditRequest, EditResult, Expert
from experts.diffusion import expert as module
from experts.diffusion.conditioning.controls import Controls
from experts.diffusion.expert import CogVideoXExpert
from experts.diffusion.model.build import build
from experts.diffusion.model.fingerprint import ENCODERS, TRANSFORMER, fingerprint
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.serving import Serving, bucket, starts
from experts.diffusion.specs import EXPERTS
from experts.edit.first_frame.editor import ImageEditor
from experts.edit.first_frame.flux2_klein import Flux2Klein
from experts.edit.first_frame.flux_fill import FluxFill
from experts.licences import EDITMILL
from tests.checkpoints import flux2_klein
from tests.experts.diffusion.small_clips import Source
from tests.flows.tiny_training import write_base

SERVED = {
    "remover": "object_removal",
    "local_stylizer": "local_style_transfer",
    "global_stylizer": "global_style_transfer",
    "inpainter": "object_swap",
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


class Embedded:
    """Stands for the task's embedded expert: paints everything it may white."""

    name = "white"
    version = "1"
    output_licence = EDITMILL

    def load(self) -> None: ...

    def close(self) -> None: ...

    def edit(self, request: EditRequest) -> EditResult:
        return EditResult(np.full_like(request.frames, 255), request.masks)


@pytest.fixture
def made(
    base: Callable[..., Any], checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], CogVideoXExpert]:
    torch.set_num_threads(1)
    monkeypatch.setattr(module, "expert_for", lambda task: Embedded())
    monkeypatch.setattr(Controls, "load", lambda self: None)
    monkeypatch.setattr(Controls, "version", "1")
    monkeypatch.setattr(Controls, "compute", lambda self, name, frames: 255 - frames)

    def make(name: str) -> CogVideoXExpert:
        spec = EXPERTS[name]
        model = base("5B-I2V" if "I2V" in spec.base else "2B", num_layers=2)
        editor = build(replace(spec, control_layers=1), model)
        for part in editor.added_modules().values():
            for parameter in part.parameters():
                parameter.data.normal_(std=0.2)
        folder = tmp_path / name
        editor.save_pretrained(folder)
        scheduler(spec.base).save_pretrained(folder / "scheduler")
        encoders = fingerprint(checkpoint, ENCODERS)
        Serving(name, ((9, 32, 48),), 2, "ddim", "fp32", encoders).write(folder)
        return CogVideoXExpert(name, "abc", folder, checkpoint)

    return make


def request_for(name: str, frames: int = 12, height: int = 48, width: int = 64) -> EditRequest:
    scene = Source(0, frames, height, width)
    masks = scene.masks(0) if EXPERTS[name].mask else None
    params = {"donor": {"label": "dog"}} if name == "inpainter" else {}
    shown = scene.clip().frames
    return EditRequest(
        SERVED[name], shown, masks, "a red disc", label="disc", seed=3, params=params
    )


@pytest.mark.parametrize("name", EXPERTS)
def test_honours_the_contract(made: Callable[[str], CogVideoXExpert], name: str) -> None:
    expert, request = made(name), request_for(name)
    before = request.frames.copy()
    assert isinstance(expert, Expert) and expert.version.startswith("abc+")
    result = expert.edit(request)
    again = expert.edit(request)
    assert result.frames.dtype == np.uint8 and result.frames.shape == request.frames.shape
    assert np.array_equal(result.frames, again.frames)
    assert np.array_equal(request.frames, before)
    assert not np.array_equal(result.frames, request.frames)
    assert not np.array_equal(result.frames, expert.edit(replace(request, seed=4)).frames)
    if EXPERTS[name].mask:
        assert result.masks is not None
        assert np.array_equal(result.frames[~result.masks], before[~result.masks])
        with pytest.raises(BadInput, match="mask"):
            expert.edit(replace(request, masks=None))
    else:
        assert result.masks is None
    assert result.info["model_size"] == [9, 32, 48] and result.info["windows"] == 2


def test_a_cache_is_the_versions_or_the_recipes(made: Callable[[str], CogVideoXExpert]) -> None:
    plain, request = made("local_stylizer"), request_for("local_stylizer")
    exact = plain.edit(request)
    assert (exact.info["cache"], exact.info["compiled"]) == ("none", False)

    def asked(cache: str) -> CogVideoXExpert:
        return CogVideoXExpert("local_stylizer", "abc", plain._folder, plain._base, cache)

    serving = Serving.read(plain._folder)
    replace(serving, steps=6, cache="taylorseer_lite", compile=True).write(plain._folder)
    own, other, none = asked(""), asked("pyramid"), asked("none")
    assert own.version == plain.version
    assert other.version == plain.version.replace("+", "/pyramid+")
    results = [expert.edit(request) for expert in (own, other, none)]
    assert [r.info["cache"] for r in results] == ["taylorseer_lite", "pyramid", "none"]
    assert len({r.frames.tobytes() for r in results}) == 3
    own.edit(replace(request, seed=4))
    assert np.array_equal(own.edit(request).frames, results[0].frames)
    with pytest.raises(EditmillError, match="cache 'teacache' is not known; use one of: none, "):
        asked("teacache")
    replace(serving, solver="dpm++").write(plain._folder)
    with pytest.raises(EditmillError, match="taylorseer_lite goes with solver ddim"):
        asked("taylorseer_lite").load()


def test_any_size_and_length(made: Callable[[str], CogVideoXExpert]) -> None:
    expert = made("remover")
    upright = request_for("remover", frames=5, height=64, width=40)
    result = expert.edit(upright)
    assert result.frames.shape == upright.frames.shape
    assert result.info["model_size"] == [9, 48, 32] and result.info["windows"] == 1


def test_other_encoders_are_refused(made: Callable[[str], CogVideoXExpert], tmp_path: Path) -> None:
    expert = made("remover")
    other = write_base(tmp_path / "other", seed=1)
    changed = CogVideoXExpert("remover", "abc", expert._folder, other)
    with pytest.raises(EditmillError, match="not the checkpoint remover abc was trained with"):
        changed.load()


def test_buckets_and_windows() -> None:
    sizes = [(33, 336, 592), (33, 448, 896)]
    assert bucket(sizes, 336, 592) == (33, 336, 592)
    assert bucket(sizes, 592, 336) == (33, 592, 336)
    assert bucket(sizes, 500, 1000) == (33, 448, 896)
    assert bucket([(33, 256, 448), (33, 512, 896)], 540, 945) == (33, 512, 896)
    assert starts(33, 33) == [0] and starts(20, 33) == [0]
    assert starts(34, 33) == [0, 1] and starts(65, 33) == [0, 32] and starts(90, 33) == [0, 32, 57]


def test_fingerprint_tells_weights_apart(checkpoint: Path, tmp_path: Path) -> None:
    other = write_base(tmp_path / "other", seed=1)
    for parts in (ENCODERS, TRANSFORMER):
        assert fingerprint(checkpoint, parts) == fingerprint(checkpoint, parts)
        assert fingerprint(checkpoint, parts) != fingerprint(other, parts)
    with pytest.raises(EditmillError, match="nothing: not there"):
        fingerprint(checkpoint, ("nothing",))


@pytest.mark.parametrize("name", ["inpainter", "global_stylizer"])
def test_an_image_editor_may_make_the_first_frame(
    made: Callable[[str], CogVideoXExpert], name: str, tmp_path: Path
) -> None:
    plain, request = made(name), replace(request_for(name), params={"replacement": "dog"})
    klein = Flux2Klein(checkpoint=str(flux2_klein.make(tmp_path / "klein")), steps=1, device="cpu")

    def with_editor(editor: ImageEditor) -> CogVideoXExpert:
        return CogVideoXExpert(name, "abc", plain._folder, plain._base, first_frame=editor)

    expert = with_editor(klein)
    assert isinstance(expert, Expert) and expert.parts == (klein,) and plain.parts == ()
    assert expert.version != plain.version and expert.version.startswith("abc+")
    fill = FluxFill(checkpoint=f"black-forest-labs/FLUX.1-Fill-dev@{'0' * 40}")
    licence = with_editor(fill).output_licence
    assert licence is not None and licence.may_train is False
    result = expert.edit(request)
    assert result.info["first_frame"] == "flux2_klein"
    assert np.array_equal(result.frames, expert.edit(request).frames)
    assert not np.array_equal(result.frames, plain.edit(request).frames)
    if name == "inpainter":
        assert result.masks is not None and request.masks is not None
        assert result.masks[request.masks].all() and result.masks.sum() > request.masks.sum()
        assert np.array_equal(result.frames[~result.masks], request.frames[~result.masks])
        with pytest.raises(BadInput, match="replacement"):
            expert.edit(replace(request, params={}))
    else:
        assert result.masks is None


def test_an_expert_without_a_first_frame_takes_no_editor(
    made: Callable[[str], CogVideoXExpert], tmp_path: Path
) -> None:
    plain = made("remover")
    klein = Flux2Klein(checkpoint=str(tmp_path), device="cpu")
    expert = CogVideoXExpert("remover", "abc", plain._folder, plain._base, first_frame=klein)
    assert expert.parts == () and expert.version == plain.version
