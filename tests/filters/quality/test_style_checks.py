"""A style that stands still or loses its colours is found; one that is pale or flat is not."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filters.base import FRAMES, PairFrames
from filters.features import measures_of
from filters.quality.checks import COLOURLESS, COLOURS_LOST, FROZEN, LIMITS, SMEARED, fault
from filters.quality.limits import FaultLimits
from filters.quality.wording import means_few_tones, names_a_colour

Frames = NDArray[np.uint8]
SIZE = 160, 256
TASKS = ("global_style_transfer", "local_style_transfer")


@pytest.fixture(scope="module")
def footage() -> Frames:
    """A fixed camera: a ball rolls by, all else stands still."""
    rng = np.random.default_rng(0)
    coarse = cv2.GaussianBlur(rng.random(SIZE, np.float32), (0, 0), 4)
    lit = (coarse - coarse.min()) / np.ptp(coarse)
    frames = np.repeat((lit[..., None] * np.array([255, 225, 185], np.float32))[None], FRAMES, 0)
    for t, frame in enumerate(frames):
        cv2.circle(frame, (60 + 8 * t, 80), 22, (220, 190, 40), -1)
        cv2.circle(frame, (60 + 8 * t, 74), 6, (30, 60, 200), -1)
    noisy = frames + rng.normal(0, 1, frames.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def styled(task: str, footage: Frames, painted: Frames, prompt: str = "") -> PairFrames:
    """Painted as a whole, or where the ball rolls."""
    mask = None
    if task == "local_style_transfer":
        mask = np.zeros((FRAMES, *SIZE), bool)
        mask[:, 50:110, 30:230] = True
        painted = np.where(mask[..., None], painted, footage)
    return PairFrames(task, footage, painted.astype(np.uint8), mask, prompt, made="target")


def warm(footage: Frames) -> Frames:
    """A right style: other colours, half the contrast."""
    return (0.5 * footage[..., [0, 2, 1]] + np.array([90, 50, 20])).astype(np.uint8)


def reasons(sample: PairFrames, *others: FaultLimits) -> list[str]:
    """By the limits that are shipped, then by these; measured once."""
    (measures,) = measures_of([sample])
    return [fault(sample, measures, limits) for limits in (LIMITS, *others)]


def reason(sample: PairFrames) -> str:
    return reasons(sample)[0]


@pytest.mark.parametrize("task", TASKS)
def test_a_style_that_stands_while_little_moves_is_frozen(task: str, footage: Frames) -> None:
    painted = warm(footage)
    assert reason(styled(task, footage, painted)) == ""
    for order in (np.zeros(FRAMES, int), np.minimum(np.arange(FRAMES), 8)):
        stopped = styled(task, footage, painted[order])
        lax = FaultLimits(still=2, stopped=-20, repeated_share=2)
        assert reasons(stopped, lax) == [FROZEN, ""]


@pytest.mark.parametrize("task", TASKS)
def test_a_style_of_footage_that_stands_may_stand(task: str, footage: Frames) -> None:
    still = np.repeat(footage[:1], FRAMES, 0)
    assert reason(styled(task, still, warm(still))) == ""


@pytest.mark.parametrize("frames", [2, 3, 5])
def test_of_a_few_frames_a_right_style_is_right_too(frames: int, footage: Frames) -> None:
    short = footage[:frames]
    assert reason(PairFrames(TASKS[0], short, warm(short), made="target")) == ""


def burnt(painted: Frames) -> Frames:
    return np.clip((painted.astype(np.float32) - 128) * 8 + 128, 0, 255).astype(np.uint8)


def in_blocks(painted: Frames) -> Frames:
    """A third of the blocks have pure colours, as after an overflow."""
    rng = np.random.default_rng(2)
    out = painted.copy()
    for frame in out:
        hit = np.kron(rng.random((10, 16)) < 0.33, np.ones((16, 16))) > 0
        pure = np.kron(rng.integers(0, 2, (10, 16, 3)) * 255, np.ones((16, 16, 1)))
        frame[hit] = pure[hit]
    return out


def in_tones(painted: Frames, count: int) -> Frames:
    step = 256 // count + 1
    return (painted // step * step + step // 2).astype(np.uint8)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("broken", [burnt, in_blocks])
def test_colours_that_break_down_are_lost(task: str, broken, footage: Frames) -> None:
    sample = styled(task, footage, broken(warm(footage)))
    lax = FaultLimits(garish=2, tones=-20, banded=2, edges_kept=0)
    assert reasons(sample, lax) == [COLOURS_LOST, ""]


@pytest.mark.parametrize("task", TASKS)
def test_few_tones_are_lost_colours_unless_the_prompt_means_few(task: str, footage: Frames) -> None:
    sample = styled(task, footage, in_tones(warm(footage), 6), "a painting in crimson and ochre")
    assert reason(styled(task, footage, warm(footage), sample.prompt)) == ""
    assert reasons(sample, FaultLimits(banded=1)) == [COLOURS_LOST, ""]
    print_ = dataclasses.replace(sample, prompt="a woodblock print in indigo and cream")
    assert reasons(print_, FaultLimits(tones=-0.5)) == ["", COLOURS_LOST]


@pytest.mark.parametrize("task", TASKS)
def test_what_is_to_have_a_colour_is_colourless_in_grey(task: str, footage: Frames) -> None:
    grey = np.repeat(warm(footage).mean(-1, keepdims=True), 3, -1)
    later = warm(footage).astype(np.float32)
    later[9:] = grey[9:]
    for painted in (grey, later):
        wanted = styled(task, footage, painted, "a painting in crimson, ochre and sky blue")
        assert reason(wanted) == COLOURLESS
        assert reason(dataclasses.replace(wanted, prompt="a graphite pencil sketch")) == ""
    pale = 0.8 * grey + 0.2 * warm(footage)
    assert reason(styled(task, footage, pale, "a pale ice-blue wash painting")) == ""


def test_prompts_that_name_a_colour() -> None:
    assert names_a_colour("a pale ice-blue wash painting")
    assert names_a_colour("A Golden statue of a person")
    assert not names_a_colour("a bored clown, drawn as a graphite pencil sketch")
    assert not names_a_colour("a black and white photograph")
    assert not names_a_colour("")


def test_prompts_that_mean_few_tones() -> None:
    assert means_few_tones("a woodcut print in olive and cream")
    assert means_few_tones("Pop art with flat pink shapes")
    assert means_few_tones("an object drawn like a graphite pencil sketch")
    assert means_few_tones("a golden statue of a person")
    assert not means_few_tones("an impressionist painting in lavender and gold")
    assert not means_few_tones("a popular artist, printed")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("size", [(31, 31), (31, 1), (1, 31)])
def test_a_style_without_detail_is_smeared(task: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    slope = (
        np.linspace(80, 180, SIZE[1])[None, :, None] + np.linspace(-60, 60, SIZE[0])[:, None, None]
    )
    painted = np.clip(slope + rng.normal(0, 30, (*SIZE, 3)), 0, 255).astype(np.uint8)
    grained = np.repeat(painted[None], FRAMES, 0)
    assert reason(styled(task, grained, warm(grained) // 2 + 60)) != SMEARED  # it is pale
    smeared = styled(task, grained, np.stack([cv2.blur(frame, size) for frame in warm(grained)]))
    shipped, lax = reasons(smeared, FaultLimits(smoothed=-20))
    assert shipped == SMEARED != lax
