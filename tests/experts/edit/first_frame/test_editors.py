"""What single image editors do beyond what all of them owe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from catalog.errors import EditmillError
from experts.edit.first_frame.controlnet_hed import ControlNetHed
from experts.edit.first_frame.editor import ImageEditRequest
from experts.edit.first_frame.flux_fill import FluxFill
from tests.checkpoints import controlnet_hed, flux_fill


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return controlnet_hed.make(tmp_path_factory.mktemp("controlnet"))


def styler(folder: Path, conditioning: float = 1.0) -> ControlNetHed:
    return ControlNetHed(
        checkpoint=str(folder / "sd15"),
        controlnet=str(folder / "controlnet"),
        conditioning=conditioning,
        device="cpu",
        steps=2,
    )


def picture() -> np.ndarray:
    image = np.full((64, 96, 3), 60, np.uint8)
    image[16:48, 24:72] = (200, 90, 40)
    return image


def drawn(*, at: int) -> np.ndarray:
    control = np.zeros((64, 96, 3), np.uint8)
    control[at : at + 6, 10:80] = 255
    return control


def test_edges_bind_as_strongly_as_asked(folder: Path) -> None:
    request = ImageEditRequest(picture(), prompt="an oil painting", seed=1, control=drawn(at=10))
    elsewhere = replace(request, control=drawn(at=40))
    bound, free = styler(folder), styler(folder, conditioning=0.0)
    assert not np.array_equal(bound.edit_image(request), bound.edit_image(elsewhere))
    assert np.array_equal(free.edit_image(request), free.edit_image(elsewhere))
    assert bound.version != free.version


def test_a_negative_prompt_is_heard(folder: Path) -> None:
    request = ImageEditRequest(picture(), prompt="an oil painting", seed=1, control=drawn(at=10))
    without = styler(folder).edit_image(request)
    asked = styler(folder).edit_image(replace(request, negative_prompt="a photograph"))
    assert not np.array_equal(without, asked)


@pytest.mark.weights
def test_edges_are_found_where_none_are_given(folder: Path) -> None:
    request = ImageEditRequest(picture(), prompt="an oil painting", seed=1)
    editor = styler(folder)
    found = editor._edges(request)
    assert found.shape == request.image.shape and found.dtype == np.uint8
    assert found[12:20, 40:56].max() > 100 > found[2:6, 40:56].max()  # the box's upper edge
    assert np.array_equal(
        editor.edit_image(request), editor.edit_image(replace(request, control=found))
    )


def test_the_second_checkpoint_is_needed_too(folder: Path, tmp_path: Path) -> None:
    alone = ControlNetHed(checkpoint=str(folder / "sd15"), device="cpu")
    with pytest.raises(EditmillError, match="set `controlnet` of `models"):
        alone.load()
    wrong = ControlNetHed(checkpoint=str(folder / "sd15"), controlnet=str(tmp_path), device="cpu")
    with pytest.raises(EditmillError, match=r"config.json, \*.safetensors missing"):
        wrong.load()


def test_weights_that_are_no_safetensors_are_refused(tmp_path: Path) -> None:
    made = flux_fill.make(tmp_path / "fill")
    weights = made / "vae" / "diffusion_pytorch_model.safetensors"
    torch.save({}, weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(EditmillError, match=r"vae/\*.safetensors missing"):
        FluxFill(checkpoint=str(made), device="cpu").load()


def test_damaged_weights_are_told_in_one_line(tmp_path: Path) -> None:
    made = flux_fill.make(tmp_path / "fill")
    (made / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(EditmillError, match="diffusers can open") as refused:
        FluxFill(checkpoint=str(made), device="cpu").load()
    assert "\n" not in str(refused.value)


def test_max_pixels_bounds_what_is_painted(tmp_path: Path) -> None:
    sizes: list[tuple[int, int]] = []

    class Watched(FluxFill):
        def _paint(self, pipe, request):  # type: ignore[no-untyped-def]
            sizes.append(request.image.shape[:2])
            return np.zeros(request.image.shape, np.float32)

    made = str(flux_fill.make(tmp_path / "fill"))
    mask = np.ones((200, 300), bool)
    request = ImageEditRequest(np.full((200, 300, 3), 9, np.uint8), mask, "a dog")
    painted = Watched(checkpoint=made, device="cpu", max_pixels=96 * 64).edit_image(request)
    assert sizes == [(64, 96)] and painted.shape == (200, 300, 3) and not painted.any()
