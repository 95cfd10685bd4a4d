"""What every expert owes its callers, run for every task in the registry.

A new expert is tested by being registered; one that needs a look gets a line in LOOKS.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from experts.base import EditRequest, EditResult, Expert
from experts.edit.tasks import TASKS, Task, expert_for

pytestmark = pytest.mark.weights

CHECKPOINTS = {"EDITMILL_DEPTH": "tiny_depth"}
"""Fixture that gives what a task's variable must name."""

FRAMES, HEIGHT, WIDTH = 4, 96, 160

LOOKS = {
    "local_style_transfer": ("a red car", {"kind": "color", "color": "red"}),
    "global_style_transfer": ("a soft watercolor painting", {"style": "watercolor"}),
}
"""Prompt and params of the tasks that need a look."""


def footage() -> NDArray[np.uint8]:
    """A soft texture that slides under a box that moves the other way."""
    rng = np.random.default_rng(7)
    wide = cv2.GaussianBlur(rng.integers(0, 256, (HEIGHT, WIDTH + 40, 3), np.uint8), (0, 0), 2)
    frames = np.stack([wide[:, 4 * t : 4 * t + WIDTH] for t in range(FRAMES)])
    frames[object_masks()] = (40, 90, 200)
    return frames


def object_masks() -> NDArray[np.bool_]:
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    for t, mask in enumerate(masks):
        mask[35:60, 90 - 6 * t : 120 - 6 * t] = True
    return masks


def donor() -> dict[str, Any]:
    """What a swap gets from another clip: a green disc on grey, that keeps still."""
    frames = np.full((FRAMES, 60, 60, 3), 120, np.uint8)
    rows, columns = np.ogrid[:60, :60]
    masks = np.broadcast_to((rows - 30) ** 2 + (columns - 30) ** 2 < 16**2, frames.shape[:3]).copy()
    frames[masks] = (30, 160, 60)
    return {"donor_frames": frames, "donor_masks": masks, "donor": {"ratio": 1.0, "mirror": False}}


def request_for(task: Task, seed: int = 11) -> EditRequest:
    prompt, params = LOOKS.get(task.name, ("", {}))
    if task.name == "object_swap":
        params = donor()
    return EditRequest(
        task.name,
        footage(),
        object_masks() if task.needs_track else None,
        prompt=prompt,
        label="car" if task.needs_track else "",
        seed=seed,
        params=params,
    )


@pytest.fixture(scope="module", params=sorted(TASKS))
def task(request: pytest.FixtureRequest) -> Task:
    return TASKS[request.param]


@pytest.fixture(scope="module")
def expert(task: Task, request: pytest.FixtureRequest) -> Iterator[Expert]:
    with pytest.MonkeyPatch.context() as patch:
        if task.checkpoint:
            patch.setenv(
                task.checkpoint, str(request.getfixturevalue(CHECKPOINTS[task.checkpoint]))
            )
        expert = expert_for(task)
        expert.load()
        yield expert
        expert.close()
        expert.load()  # the process shares the instance: leave it as others expect it


@pytest.fixture(scope="module")
def made(task: Task, expert: Expert) -> tuple[EditRequest, EditResult]:
    request = request_for(task)
    return request, expert.edit(request)


def test_is_an_expert_with_a_name_and_a_version(expert: Expert) -> None:
    assert isinstance(expert, Expert)
    assert expert.name and expert.version
    assert expert.name.isprintable() and " " not in expert.name + expert.version


def test_frames_are_rgb_video(made: tuple[EditRequest, EditResult]) -> None:
    request, result = made
    assert result.frames.dtype == np.uint8
    assert result.frames.ndim == 4
    assert result.frames.shape[0] == request.frames.shape[0]
    assert result.frames.shape[3] == 3
    assert result.frames.shape[1] % 2 == result.frames.shape[2] % 2 == 0  # 4:2:0 chroma


def test_the_edit_does_something(made: tuple[EditRequest, EditResult]) -> None:
    request, result = made
    assert not np.array_equal(result.frames, request.frames)


def test_masks_bound_the_edit(made: tuple[EditRequest, EditResult]) -> None:
    request, result = made
    if result.masks is None:
        return
    assert result.masks.dtype == np.bool_
    assert result.masks.shape == result.frames.shape[:3]
    assert result.masks.any()
    assert np.array_equal(result.frames[~result.masks], request.frames[~result.masks])


def test_local_edits_say_where_they_are(task: Task, made: tuple[EditRequest, EditResult]) -> None:
    local = {"object_removal", "object_addition", "object_swap", "local_style_transfer"}
    if task.name in local | {"inpainting", "outpainting"}:
        assert made[1].masks is not None


def test_the_request_is_not_touched(task: Task, made: tuple[EditRequest, EditResult]) -> None:
    request, fresh = made[0], request_for(task)
    assert np.array_equal(request.frames, fresh.frames)
    if request.masks is not None and fresh.masks is not None:
        assert np.array_equal(request.masks, fresh.masks)
    assert str(request.params) == str(fresh.params)  # arrays have no truth value


def test_the_result_is_not_a_view_of_the_request(made: tuple[EditRequest, EditResult]) -> None:
    request, result = made
    assert not np.shares_memory(request.frames, result.frames)


def test_same_request_same_bytes_and_no_global_generator(
    task: Task, expert: Expert, made: tuple[EditRequest, EditResult]
) -> None:
    np.random.seed(3)
    before = np.random.get_state()[1].tobytes()  # type: ignore[index,union-attr]
    again = expert.edit(request_for(task))
    assert np.random.get_state()[1].tobytes() == before  # type: ignore[index,union-attr]
    assert again.frames.tobytes() == made[1].frames.tobytes()
    assert again.info == made[1].info
    assert (again.masks is None) == (made[1].masks is None)
    if again.masks is not None and made[1].masks is not None:
        assert np.array_equal(again.masks, made[1].masks)


def test_info_is_json(made: tuple[EditRequest, EditResult]) -> None:
    assert json.loads(json.dumps(dict(made[1].info))) is not None
