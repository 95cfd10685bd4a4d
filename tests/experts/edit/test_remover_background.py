"""The remover with a picture of the background: what no frame of the clip shows."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from experts.base import EditRequest, EditResult
from tests.experts.edit.test_remover import COUNT, REMOVER, psnr, scene


def opaque(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB [H, W, 3] as RGBA."""
    return np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])


def removed(background: NDArray[np.uint8], speed: float = 1.0, count: int = COUNT) -> EditResult:
    frames, masks, _ = scene(speed=speed, count=count)  # a square of 30 px that moves 6 px in all
    params = {"background": background}
    return REMOVER.edit(EditRequest("object_removal", frames, masks, params=params))


@functools.cache
def without() -> EditResult:
    """What is made without a picture; several tests look at it, none changes it."""
    frames, masks, _ = scene(speed=1.0)
    return REMOVER.edit(EditRequest("object_removal", frames, masks))


def test_it_shows_what_no_frame_does() -> None:
    _, masks, truth = scene(speed=1.0)
    result = removed(opaque(truth[0]))
    assert without().info["by_migan"] > 0.2 and result.info["by_migan"] == 0
    assert psnr(result.frames, truth, masks) > 40 > 25 > psnr(without().frames, truth, masks)
    assert result.info["fill_error"] < without().info["fill_error"] - 5


def test_other_light_than_the_frames_is_brought_to_theirs() -> None:
    _, masks, truth = scene(speed=1.0)
    darker = np.clip(truth[0].astype(int) - 12, 0, 255).astype(np.uint8)
    assert psnr(removed(opaque(darker)).frames, truth, masks) > 34


def test_a_wrong_one_is_not_believed_where_frames_show_better() -> None:
    _, masks, truth = scene()
    random = np.random.default_rng(3).integers(0, 255, truth[0].shape, dtype=np.uint8)
    assert psnr(removed(opaque(random), speed=9.0).frames, truth, masks) > 38


def test_where_it_is_not_known_the_rest_is_painted_as_before() -> None:
    _, _, truth = scene(speed=1.0)
    half = opaque(truth[0])
    half[:, :40, 3] = 0
    share = removed(half).info["by_migan"]
    assert 0 < share < without().info["by_migan"]
    unknown = opaque(truth[0])
    unknown[..., 3] = 0
    assert (removed(unknown).frames == without().frames).mean() > 0.98


def test_one_that_shows_the_object_itself_is_not_used() -> None:
    frames, _, _ = scene(speed=1.0)
    stood = removed(opaque(frames[0]))
    assert (stood.frames == without().frames).all() and stood.info == without().info


def test_what_has_gone_since_does_not_come_back_where_frames_show_the_place() -> None:
    _, masks, truth = scene(speed=5.0, count=11)  # 50 px in all: each place is seen in some frame
    stood = truth[0].copy()
    stood[40:70, 20:60] = (30, 200, 30)
    result = removed(opaque(stood), speed=5.0, count=11)
    assert psnr(result.frames, truth, masks) > 30
