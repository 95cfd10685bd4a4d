"""What every image editor owes its callers, run for every provider of the slot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from catalog.errors import BadInput, EditmillError
from experts.edit.first_frame.editor import ImageEditor, ImageEditRequest
from experts.licences import OutputLicence
from experts.providers.choice import choice_of
from experts.providers.registry import provider, providers
from tests.checkpoints import controlnet_hed, flux2_klein, flux_fill, qwen_image_edit

HEIGHT, WIDTH = 72, 84
"""px; no multiple of what most of the pipelines take."""

MAKERS: dict[str, Callable[[Path], Path]] = {
    "flux_fill": flux_fill.make,
    "flux2_klein": flux2_klein.make,
    "qwen_image_edit": qwen_image_edit.make,
    "controlnet_hed": controlnet_hed.make,
}


def options(name: str, folder: Path) -> dict[str, Any]:
    """Of a provider with a tiny checkpoint in `folder`."""
    if name == "controlnet_hed":
        parts = {"checkpoint": str(folder / "sd15"), "controlnet": str(folder / "controlnet")}
    else:
        parts = {"checkpoint": str(folder)}
    return {**parts, "device": "cpu", "steps": 2}


def on_the_hub(name: str) -> str:
    """The registry's repository at some commit."""
    kept = provider("first_frame", name).checkpoint
    assert kept is not None
    return f"{kept.repo}@{'0' * 40}"


def request_for(name: str, seed: int = 5) -> ImageEditRequest:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20:50, 30:70] = True
    control = np.zeros_like(image) if name == "controlnet_hed" else None
    if control is not None:
        control[30:40, 10:60] = 255
    return ImageEditRequest(image, mask, "a red horse", "a car", seed, control)


@pytest.fixture(scope="module", params=providers("first_frame"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return MAKERS[name](tmp_path_factory.mktemp(name) / "checkpoint")


@pytest.fixture(scope="module")
def editor(name: str, folder: Path) -> Iterator[ImageEditor]:
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as qwen

    torch.set_num_threads(1)
    choice = choice_of("first_frame", {"provider": name, **options(name, folder)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qwen, "VAE_IMAGE_SIZE", 64 * 64)  # px it looks at: a million takes seconds
        patch.setattr(qwen, "CONDITION_IMAGE_SIZE", 56 * 56)
        yield provider("first_frame", name).kind()(**choice.options)


@pytest.fixture(scope="module")
def painted(name: str, editor: ImageEditor) -> np.ndarray:
    return editor.edit_image(request_for(name))


def test_is_an_image_editor_with_a_name_a_version_and_a_licence(
    name: str, editor: ImageEditor
) -> None:
    assert isinstance(editor, ImageEditor)
    assert editor.name == name and editor.version and " " not in editor.version
    assert editor.output_licence is None  # of a folder nobody knows it
    licence = provider("first_frame", name).kind()(checkpoint=on_the_hub(name)).output_licence
    assert isinstance(licence, OutputLicence)
    assert licence.may_train is (name != "flux_fill")


def test_the_version_follows_what_changes_a_result(
    name: str, folder: Path, editor: ImageEditor
) -> None:
    kind = provider("first_frame", name).kind()
    usual = options(name, folder)
    assert kind(**usual).version == editor.version
    for change in ({"steps": 3}, {"guidance": 2.5}, {"max_pixels": 4096}, {"tiling": True}):
        assert kind(**usual | change).version != editor.version
    assert kind(**usual | {"offload": True}).version == editor.version


def test_paints_inside_the_mask_alone(name: str, painted: np.ndarray) -> None:
    request = request_for(name)
    assert request.mask is not None
    assert painted.dtype == np.uint8 and painted.shape == request.image.shape
    assert np.array_equal(painted[~request.mask], request.image[~request.mask])
    assert (painted[request.mask] != request.image[request.mask]).mean() > 0.5


def test_same_request_same_bytes_and_untouched(
    name: str, editor: ImageEditor, painted: np.ndarray
) -> None:
    request, fresh = request_for(name), request_for(name)
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    assert np.array_equal(editor.edit_image(request), painted)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(request.image, fresh.image)
    assert request.mask is not None and np.array_equal(request.mask, fresh.mask)


def test_seed_and_prompt_change_the_painting(
    name: str, editor: ImageEditor, painted: np.ndarray
) -> None:
    assert not np.array_equal(editor.edit_image(request_for(name, seed=6)), painted)
    asked = replace(request_for(name), prompt="a blue bus in the snow")
    assert not np.array_equal(editor.edit_image(asked), painted)


def test_without_a_mask_all_may_change(name: str, editor: ImageEditor) -> None:
    request = replace(request_for(name), mask=None)
    if getattr(editor, "needs_mask", False):
        with pytest.raises(BadInput, match="mask"):
            editor.edit_image(request)
        return
    painted = editor.edit_image(request)
    assert painted.shape == request.image.shape
    assert (painted != request.image).mean() > 0.9
    assert not np.shares_memory(painted, request.image)


def test_an_empty_mask_is_refused(name: str, editor: ImageEditor) -> None:
    empty = np.zeros((HEIGHT, WIDTH), bool)
    with pytest.raises(BadInput, match="mask is empty"):
        editor.edit_image(replace(request_for(name), mask=empty))


def test_closed_and_loaded_again_it_paints_the_same(
    name: str, editor: ImageEditor, painted: np.ndarray
) -> None:
    editor.load()
    opened = editor._models  # type: ignore[attr-defined]
    editor.load()
    assert editor._models is opened  # type: ignore[attr-defined]
    editor.close()
    assert editor._models is None  # type: ignore[attr-defined]
    assert np.array_equal(editor.edit_image(request_for(name)), painted)


def test_a_bad_checkpoint_is_told_in_one_line(name: str, folder: Path, tmp_path: Path) -> None:
    kind = provider("first_frame", name).kind()
    with pytest.raises(EditmillError, match="missing") as missing:
        kind(**options(name, folder) | {"checkpoint": str(tmp_path)}).load()
    assert "\n" not in str(missing.value) and "models.first_frame" in str(missing.value)
