"""What every editor of the slot `edit` owes its callers, for each task it serves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from catalog.errors import BadInput, EditmillError
from experts.base import EditRequest, EditResult, Expert
from experts.edit.tasks import TASKS
from experts.licences import OutputLicence
from experts.providers.choice import choice_of
from experts.providers.registry import provider, providers
from tests.checkpoints import wan_vace
from tests.experts.model_lifecycle import half_of

FRAMES, HEIGHT, WIDTH = 7, 44, 60

MAKERS = {"wan_vace": wan_vace.make, "wan_vace_14b": wan_vace.make}

FAST = {"device": "cpu", "steps": 2, "frames": 5, "overlap": 1, "structure": "gray"}
"""Options with which seven frames take two windows, and no edge detector."""


def served(name: str) -> tuple[str, ...]:
    return tuple(provider("edit", name).kind().tasks)


def request_for(task: str, seed: int = 5) -> EditRequest:
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    for t, mask in enumerate(masks):
        mask[10:28, 12 + 3 * t : 32 + 3 * t] = True
    return EditRequest(
        task,
        frames,
        masks if TASKS[task].needs_track else None,
        prompt="a red car",
        label="car",
        seed=seed,
        params={"replacement": "bus"} if task == "object_swap" else {},
    )


@pytest.fixture(scope="module", params=providers("edit"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return MAKERS[name](tmp_path_factory.mktemp(name) / "checkpoint")


@pytest.fixture(scope="module")
def options(folder: Path) -> dict[str, Any]:
    return {**FAST, "checkpoint": str(folder)}


@pytest.fixture(scope="module")
def expert(name: str, options: dict[str, Any]) -> Iterator[Expert]:
    torch.set_num_threads(1)
    choice = choice_of("edit", {"provider": name, **options})
    yield provider("edit", name).kind()(**choice.options)


@pytest.fixture(scope="module")
def made(name: str, expert: Expert) -> dict[str, EditResult]:
    return {task: expert.edit(request_for(task)) for task in served(name)}


def test_is_an_expert_with_a_name_a_version_and_a_licence(name: str, expert: Expert) -> None:
    assert isinstance(expert, Expert)
    assert expert.name == name and expert.version and " " not in expert.version
    assert expert.output_licence is None  # of a folder nobody knows it
    kept = provider("edit", name).checkpoint
    assert kept is not None
    named = provider("edit", name).kind()(checkpoint=f"{kept.repo}@{'0' * 40}")
    assert isinstance(named.output_licence, OutputLicence)
    assert set(served(name)) <= set(TASKS)


def test_the_version_follows_what_changes_a_result(
    name: str, options: dict[str, Any], expert: Expert
) -> None:
    kind = provider("edit", name).kind()
    assert kind(**options).version == expert.version
    for change in ({"steps": 3}, {"guidance": 2.5}, {"shift": 7.0}, {"overlap": 2}):
        assert kind(**options | change).version != expert.version
    assert kind(**options | {"offload": True}).version == expert.version


def test_edits_inside_the_masks_alone(made: dict[str, EditResult]) -> None:
    for task, result in made.items():
        request = request_for(task)
        assert result.frames.dtype == np.uint8 and result.frames.shape == request.frames.shape
        changed = (result.frames != request.frames).any(axis=-1)
        if request.masks is None:
            assert result.masks is None
            assert changed.mean(axis=(1, 2)).min() > 0.9
            continue
        assert result.masks is not None and result.masks.dtype == bool
        assert result.masks[request.masks].all()
        assert not changed[~result.masks].any()
        assert min(c[m].mean() for c, m in zip(changed, request.masks, strict=True)) > 0.5


def test_tasks_are_told_apart(made: dict[str, EditResult]) -> None:
    removal, addition = made["object_removal"], made["object_addition"]
    assert np.array_equal(removal.frames, addition.frames)  # the same edit read backwards
    others = [made[t].frames.tobytes() for t in made if t != "object_addition"]
    assert len(set(others)) == len(others)


def test_same_request_same_bytes_and_untouched(expert: Expert, made: dict[str, EditResult]) -> None:
    request, fresh = request_for("object_removal"), request_for("object_removal")
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    again = expert.edit(request)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(again.frames, made["object_removal"].frames)
    assert again.info == made["object_removal"].info
    assert np.array_equal(request.frames, fresh.frames)
    assert np.array_equal(request.masks, fresh.masks)
    other = expert.edit(replace(request, seed=6))
    assert not np.array_equal(other.frames, again.frames)


def test_info_is_json_and_says_how(made: dict[str, EditResult]) -> None:
    for result in made.values():
        assert json.loads(json.dumps(dict(result.info))) == result.info
        assert result.info["windows"] == 2 and result.info["model_size"] == [5, 48, 64]


def test_what_it_cannot_edit_is_refused(expert: Expert) -> None:
    request = request_for("object_removal")
    with pytest.raises(BadInput, match="mask"):
        expert.edit(replace(request, masks=None))
    with pytest.raises(BadInput, match="nothing is generated for it"):
        expert.edit(replace(request, task="deblur"))


def test_closed_and_loaded_again_it_edits_the_same(
    expert: Expert, made: dict[str, EditResult]
) -> None:
    expert.load()
    opened = expert._models  # type: ignore[attr-defined]
    expert.load()
    assert expert._models is opened  # type: ignore[attr-defined]
    expert.close()
    assert expert._models is None  # type: ignore[attr-defined]
    again = expert.edit(request_for("object_removal"))
    assert np.array_equal(again.frames, made["object_removal"].frames)


def test_a_bad_checkpoint_is_told_in_one_line(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    kind = provider("edit", name).kind()
    with pytest.raises(EditmillError, match="missing") as missing:
        kind(**options | {"checkpoint": str(tmp_path)}).load()
    assert "\n" not in str(missing.value)


def test_a_text_encoder_without_all_its_weights_is_refused(
    name: str, options: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    lacking = shutil.copytree(folder, tmp_path / "lacking")
    weights = lacking / "text_encoder" / "model.safetensors"
    weights.write_bytes(half_of(weights))
    with pytest.raises(EditmillError, match="of its weights are missing") as told:
        provider("edit", name).kind()(**options | {"checkpoint": str(lacking)}).load()
    assert "\n" not in str(told.value)
