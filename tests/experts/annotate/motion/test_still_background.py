"""What stands still over a shot: against a texture that is known behind what moves."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from experts.annotate.motion.still_background import (
    LEAST_SAMPLES,
    SAMPLES,
    ShotBackgrounds,
    shows_object,
    still_background,
)

HEIGHT, WIDTH = 96, 128
FPS = 10.0
SIZE = HEIGHT, WIDTH


def texture(seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return rng.integers(30, 220, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def walking(count: int = SAMPLES, step: int = 24) -> NDArray[np.uint8]:
    """A square that crosses the texture."""
    frames = np.repeat(texture()[None], count, axis=0)
    for t in range(count):
        frames[t, 30:60, step * t : step * t + 20] = 255
    return frames


def test_what_moves_is_not_in_it() -> None:
    found = still_background(walking())
    assert found is not None
    assert (found[..., 3] == 255).all() and (found[..., :3] == texture()).all()


def test_noise_is_borne_and_lessened() -> None:
    rng = np.random.default_rng(1)
    noisy = np.clip(walking() + rng.normal(0, 3, (SAMPLES, HEIGHT, WIDTH, 3)), 0, 255)
    found = still_background(noisy.round().astype(np.uint8))
    assert found is not None and (found[..., 3] == 255).mean() > 0.99
    assert np.abs(found[..., :3].astype(int) - texture()).mean() < 1.5  # of 2.4


def test_a_place_that_is_hidden_half_of_the_time_is_not_known() -> None:
    frames = walking()
    frames[: SAMPLES // 2, 70:80, 100:110] = (255, 0, 0)
    found = still_background(frames)
    assert found is not None
    assert (found[70:80, 100:110, 3] == 0).all() and found[..., 3].mean() > 250


@pytest.mark.parametrize(
    "there", [slice(0, 11), slice(0, 12), slice(4, None), slice(3, None), slice(3, 12)]
)
def test_what_stood_there_most_of_the_time_and_no_longer_is_not_in_it(there: slice) -> None:
    frames = walking()
    frames[there, 70:80, 100:110] = (255, 0, 0)
    found = still_background(frames)
    assert found is not None
    assert (found[70:80, 100:110, 3] == 0).all() and found[..., 3].mean() > 250


def test_where_the_light_changes_what_left_before_is_not_in_it_either() -> None:
    frames = walking()
    frames[:9, 70:80, 100:110] = (255, 0, 0)
    frames[12:] = frames[12:] // 2
    found = still_background(frames)
    assert found is not None
    assert (found[70:80, 100:110, 3] == 0).all() and found[..., 3].mean() > 250


def test_what_comes_and_goes_as_often_as_it_is_looked_at_is_not_in_it() -> None:
    frames = np.repeat(texture()[None], 600, axis=0)
    for t in range(0, 600, 40):  # there for half of each fifteenth of the time
        frames[t + 10 : t + 30, 70:80, 100:110] = (255, 0, 0)
    ((_, found),) = watched([(0, 600)], [(0, 8)], frames)
    assert (found[70:80, 100:110, 3] == 0).all() and found[..., 3].mean() > 250


def test_what_is_hidden_for_a_while_is_in_it() -> None:
    frames = walking()
    frames[5:10, 70:80, 100:110] = (255, 0, 0)
    found = still_background(frames)
    assert found is not None
    assert (found[..., 3] == 255).all() and (found[..., :3] == texture()).all()


def test_a_camera_that_moves_has_none() -> None:
    panned = np.stack([np.roll(texture(), 3 * t, axis=1) for t in range(SAMPLES)])
    assert still_background(panned) is None


def test_an_object_that_stood_there_is_told_from_one_that_came() -> None:
    parked = texture()
    parked[20:50, 90:120] = (220, 30, 30)
    frames = np.repeat(parked[None], SAMPLES, axis=0)
    found = still_background(frames)
    assert found is not None
    came = frames[:4].copy()
    came[:, 60:90, 10:40] = (20, 20, 200)
    masks = np.zeros((2, 4, HEIGHT, WIDTH), bool)
    masks[0, :, 20:50, 90:120] = masks[1, :, 60:90, 10:40] = True
    assert [shows_object(found, came, each) for each in masks] == [True, False]


Found = list[tuple[list[tuple[int, int]], NDArray[np.uint8]]]


def watched(
    shots: list[tuple[int, int]], clips: list[tuple[int, int]], frames: NDArray[np.uint8]
) -> Found:
    found: Found = []
    backgrounds = ShotBackgrounds(shots, clips, FPS, SIZE, lambda *one: found.append(one))
    assert sum(1 for _ in backgrounds.watching(iter(frames))) == len(frames)
    backgrounds.finish()
    return found


def test_each_shot_has_its_own_and_its_clips_share_it() -> None:
    other = np.repeat(texture(7)[None], 40, axis=0)
    frames = np.concatenate([walking(40, 2), other, texture()[None]])
    clips = [(5, 10), (20, 10), (50, 10)]
    (first, here), (second, there) = watched([(0, 40), (40, 80), (80, 81)], clips, frames)
    assert (first, second) == (clips[:2], clips[2:])
    assert (here[..., :3] == texture()).all() and (there[..., :3] == texture(7)).all()


def test_a_clip_that_is_nearly_all_of_its_shot_has_none() -> None:
    assert watched([(0, 40)], [(0, 30)], walking(40, 2)) == []


def test_where_the_video_ends_early_what_passed_is_taken_if_it_is_enough() -> None:
    frames = walking(60, 1)
    enough = 60 * LEAST_SAMPLES // SAMPLES
    assert len(watched([(0, 60)], [(0, 8)], frames[:enough])) == 1
    assert watched([(0, 60)], [(0, 8)], frames[: enough - 4]) == []


@given(
    cuts=st.lists(st.integers(1, 3000), min_size=1, max_size=6, unique=True),
    length=st.integers(2, 60),
    fps=st.floats(1, 120),
)
def test_no_more_frames_are_held_than_are_sampled_at_once(
    cuts: list[int], length: int, fps: float
) -> None:
    bounds = [0, *sorted(cuts)]
    shots = list(pairwise(bounds))
    clips = [(f, length) for low, high in shots for f in range(low, high - length, length)]
    told: list[tuple[int, int]] = []
    backgrounds = ShotBackgrounds(shots, clips, fps, SIZE, lambda own, _: told.extend(own))
    small = np.zeros((8, 8, 3), np.uint8)
    for _ in backgrounds.watching(small for _ in range(bounds[-1])):
        assert len(backgrounds._samples) <= SAMPLES
    backgrounds.finish()
    assert len(told) == len(set(told)) and set(told) <= set(clips)


CHANGES = {
    "lighter": lambda frame: np.clip(frame * 1.25 + 5, 0, 255),
    "darker": lambda frame: frame * 0.75,
    "warmer": lambda frame: np.clip(frame * np.array([1.15, 1, 0.8]), 0, 255),
    "knocked": lambda frame: np.roll(frame, (6, 9), (0, 1)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_clip_that_does_not_show_it_has_none(
    change: Callable[[NDArray[np.uint8]], NDArray[np.floating]],
) -> None:
    frames = walking(60, 2)
    frames[40:] = np.stack([change(frame).astype(np.uint8) for frame in frames[40:]])
    before, across, behind = (4, 10), (35, 10), (46, 10)
    ((clips, _),) = watched([(0, 60)], [before, across, behind], frames)
    assert clips == [before]


@pytest.mark.parametrize(("height", "held"), [(2160, 10), (4320, 0)])
def test_of_large_frames_fewer_are_held_and_of_huge_ones_none(height: int, held: int) -> None:
    told: list[object] = []
    backgrounds = ShotBackgrounds(
        [(0, 60)], [(0, 8)], FPS, (height, height * 16 // 9), lambda *one: told.append(one)
    )
    most = 0
    for _ in backgrounds.watching(iter(walking(60, 1))):  # small ones: their size is only told
        most = max(most, len(backgrounds._samples))
    backgrounds.finish()
    assert most <= 10 and len(told) == (held >= LEAST_SAMPLES)


def test_a_long_shot_has_several_since_light_changes() -> None:
    dark = np.clip(texture().astype(int) - 60, 0, 255).astype(np.uint8)
    frames = (each for each in [texture()] * 600 + [dark] * 600)
    found: Found = []
    clips = [(100, 20), (900, 20)]
    backgrounds = ShotBackgrounds([(0, 1200)], clips, FPS, SIZE, lambda *one: found.append(one))
    for _ in backgrounds.watching(frames):
        pass
    backgrounds.finish()
    assert [own for own, _ in found] == [[clips[0]], [clips[1]]]
    assert [int(b[..., :3].mean()) for _, b in found] == pytest.approx(
        [texture().mean(), dark.mean()], abs=1
    )
