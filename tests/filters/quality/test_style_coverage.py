"""A style that leaves a part of its region as it was is found; one that cannot change it is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filters.base import FRAMES, PairFrames
from filters.features import measures_of
from filters.features.coverage import coverage_figures
from filters.quality.checks import LIMITS, UNFINISHED, fault
from filters.quality.limits import FaultLimits

Frames = NDArray[np.uint8]
Masks = NDArray[np.bool_]
SIZE = 160, 256
RADIUS = 40


def disc(speed: int) -> tuple[Frames, Masks, NDArray[np.int64]]:
    """A disc with a pattern of its own before a wall: frames, masks, and the columns of its middle.
    Each frame has noise of its own, as a sensor's."""
    rng = np.random.default_rng(3)
    wall, skin = (
        120 + 60 * _pattern(rng) * np.array(tint) for tint in ((1, 0.9, 0.5), (0.4, 0.8, 1))
    )
    ys, xs = np.mgrid[: SIZE[0], : SIZE[1]]
    middle = 60 + speed * np.arange(FRAMES)
    masks = np.stack([np.hypot(xs - x, ys - 80) < RADIUS for x in middle])
    frames = np.stack(
        [
            np.where(m[..., None], np.roll(skin, x, 1), wall)
            for m, x in zip(masks, middle, strict=True)
        ]
    )
    noisy = frames + rng.normal(0, 1.5, frames.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8), masks, middle


def _pattern(rng: np.random.Generator) -> NDArray[np.float32]:
    coarse = cv2.GaussianBlur(rng.standard_normal(SIZE).astype(np.float32), (0, 0), 3)
    return (coarse / coarse.std())[..., None]


def recoloured(frames: Frames, where: Masks) -> Frames:
    return np.where(where[..., None], frames[..., [2, 0, 1]] // 2 + 60, frames).astype(np.uint8)


def left_half(masks: Masks, middle: NDArray[np.int64]) -> Masks:
    return masks & (np.arange(SIZE[1]) < middle[:, None, None])


def reason(frames: Frames, made: Frames, masks: Masks | None, limits: FaultLimits = LIMITS) -> str:
    task = "global_style_transfer" if masks is None else "local_style_transfer"
    sample = PairFrames(task, frames, made, masks, made="target")
    return fault(sample, measures_of([sample])[0], limits)


@pytest.mark.parametrize("speed", [0, 6])
def test_half_of_a_disc_is_unfinished_and_all_of_it_is_not(speed: int) -> None:
    frames, masks, middle = disc(speed)
    assert reason(frames, recoloured(frames, masks), masks) == ""
    half = recoloured(frames, left_half(masks, middle))
    assert reason(frames, half, masks) == UNFINISHED
    assert reason(frames, half, masks, FaultLimits(undone=1)) == ""


@pytest.mark.parametrize("speed", [0, 6])
def test_a_style_that_misses_a_third_of_the_picture_is_unfinished(speed: int) -> None:
    frames, masks, _ = disc(speed)
    everywhere = np.ones_like(masks)
    assert reason(frames, recoloured(frames, everywhere), None) == ""
    everywhere[:, :, 170:] = False
    assert reason(frames, recoloured(frames, everywhere), None) == UNFINISHED


def test_a_part_whose_colour_the_style_never_changes_is_not_undone() -> None:
    frames, masks, middle = disc(6)
    half = left_half(masks, middle)
    frames = np.where((masks & ~half)[..., None], 8, frames).astype(np.uint8)  # tyres stay black
    assert reason(frames, recoloured(frames, half), masks) == ""


def figure(frames: Frames, made: Frames, masks: Masks) -> dict[str, float]:
    sides = (side.astype(np.float32) / 255 for side in (frames, made))
    return coverage_figures(*sides, masks.astype(np.float32))


@pytest.mark.parametrize("speed", [0, 6])
def test_a_mask_that_loses_a_part_of_the_disc_is_unfinished(speed: int) -> None:
    frames, masks, middle = disc(speed)
    lame = masks.copy()
    lame[6:] = left_half(masks, middle)[6:]
    assert figure(frames, recoloured(frames, masks), masks)["lost"] == 0
    assert figure(frames, recoloured(frames, lame), lame)["lost"] > 0.2
    assert reason(frames, recoloured(frames, lame), lame) == UNFINISHED


def test_what_goes_behind_something_is_not_lost() -> None:
    frames, masks, _ = disc(6)
    masks[:, :, 120:] = False  # a screen before the wall
    frames[:, :, 120:] = (90, 140, 60)
    assert figure(frames, recoloured(frames, masks), masks)["lost"] < 0.01
