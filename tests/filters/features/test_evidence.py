"""A fill is held against what other frames show of the place."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filters.base import PairFrames
from filters.features import AGREEMENT_MEASURES, measures_of

FRAMES, HEIGHT, WIDTH = 17, 200, 320
Frames = NDArray[np.uint8]


def scene(pan: float) -> Frames:
    """A textured wall, seen by a camera that goes `pan` px to the right per frame; noisy."""
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.random((HEIGHT, WIDTH + 160, 3), dtype=np.float32), (0, 0), 3)
    wide = (wide - wide.min()) / np.ptp(wide)
    frames = []
    for t in range(FRAMES):
        way = np.array([[1, 0, -pan * t], [0, 1, 0]], np.float32)
        frames.append(cv2.warpAffine(wide, way, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC))
    noisy = np.stack(frames) + rng.normal(0, 0.006, (FRAMES, HEIGHT, WIDTH, 1))
    return np.clip(np.rint(noisy * 255), 0, 255).astype(np.uint8)


def hole(speed: float) -> NDArray[np.bool_]:
    """A square that moves `speed` px per frame."""
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    for t in range(FRAMES):
        x = round(60 + speed * t)
        masks[t, 70:120, x : x + 44] = True
    return masks


def removal(pan: float, speed: float = 8, fill: Frames | None = None) -> PairFrames:
    """A grey square removed: right, or with another fill."""
    truth, masks = scene(pan), hole(speed)
    real = np.where(masks[..., None], np.uint8(230), truth)
    made = truth if fill is None else np.where(masks[..., None], fill, truth)
    return PairFrames("object_removal", real, made, masks, made="target")


def figures(pan: float, speed: float = 8, fill: Frames | None = None) -> dict[str, float]:
    (measures,) = measures_of([removal(pan, speed, fill)])
    return dict(zip(AGREEMENT_MEASURES, measures.agreement.tolist(), strict=True))


def blurred(pan: float) -> Frames:
    return np.stack([cv2.GaussianBlur(frame, (0, 0), 9) for frame in scene(pan)])


@pytest.mark.parametrize("pan", [0.0, 4.0], ids=["fixed", "pan"])
def test_the_truth_is_predicted_as_well_as_what_is_known(pan: float) -> None:
    found = figures(pan)
    for name in ("wrong", "next", "beyond"):
        assert abs(found[name]) < 0.35, name
    assert abs(found["detail"]) < 0.35 and found["hidden"] < 0.1
    assert abs(found["left"]) < 0.05 and found["left_places"] < 0.02


@pytest.mark.parametrize("pan", [0.0, 4.0], ids=["fixed", "pan"])
def test_something_else_and_a_blur_are_not(pan: float) -> None:
    other = np.ascontiguousarray(scene(pan)[:, ::-1, ::-1])
    usual = figures(pan)
    assert figures(pan, fill=other)["wrong"] > usual["wrong"] + 1
    smeared = figures(pan, fill=blurred(pan))
    assert smeared["wrong"] > usual["wrong"] + 0.7 and smeared["detail"] < usual["detail"] - 0.5


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_what_is_left_of_the_object_is_a_share_of_it(share: float) -> None:
    grey = np.full((FRAMES, HEIGHT, WIDTH, 3), 230.0)
    mixed = np.rint((1 - share) * scene(4.0) + share * grey).astype(np.uint8)
    found = figures(4.0, fill=mixed)
    assert found["left"] == pytest.approx(share, abs=0.05)
    assert (found["left_places"] > 0.9) == (share == 1)


def test_an_edit_that_stops_midway_leaves_the_object_half_of_the_time() -> None:
    fill = np.where(np.arange(FRAMES)[:, None, None, None] < 8, scene(4.0), np.uint8(230))
    found = figures(4.0, fill=fill)
    assert found["left_times"] == pytest.approx(0.5, abs=0.1)
    assert found["left_most"] > 0.9 and abs(found["left_least"]) < 0.1


def test_what_no_frame_shows_is_not_judged() -> None:
    found = figures(0.0, speed=0, fill=blurred(0.0))
    assert found["hidden"] == 1 and found["wrong"] == found["beyond"] == found["left"] == 0


def test_a_frozen_fill_is_calm_where_its_surroundings_move_and_jumps_at_its_rim() -> None:
    frozen = np.repeat(scene(4.0)[:1], FRAMES, 0)
    found, right = figures(4.0, fill=frozen), figures(4.0)
    assert found["calm"] < right["calm"] - 1 and found["here"] < right["here"] - 1
    assert found["crossing_calm"] > right["crossing_calm"] + 0.8
    assert found["drifts_more"] > right["drifts_more"] + 1 and found["repeats"] > 0.9
    assert right["repeats"] == 0


def test_what_stands_still_is_right_to_repeat_itself() -> None:
    frozen = np.repeat(scene(0.0)[:1], FRAMES, 0)
    found = figures(0.0, fill=frozen)
    assert found["repeats"] == 0 and abs(found["drifts_more"]) < 0.2
    assert abs(found["wrong"]) < 0.35


def test_frames_that_repeat_outside_of_the_mask_are_seen() -> None:
    sample = removal(4.0)
    stopped = np.repeat(sample.target[:1], FRAMES, 0)
    whole = PairFrames("object_removal", sample.source, stopped, sample.mask, made="target")
    (measures,) = measures_of([whole])
    found = dict(zip(AGREEMENT_MEASURES, measures.agreement.tolist(), strict=True))
    assert found["outside"] < -1 and abs(figures(4.0)["outside"]) < 0.05


@pytest.mark.parametrize("task", ["object_addition", "object_swap"])
def test_a_pair_read_backwards_is_measured_alike(task: str) -> None:
    sample = removal(4.0)
    back = PairFrames(task, sample.target, sample.source, sample.mask, made="source")
    one, other = measures_of([sample, back])
    assert np.allclose(one.agreement, other.agreement, atol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("frames", [2, 3, 5, 17])
@pytest.mark.parametrize("case", ["usual", "empty at times", "everywhere", "one pixel", "no mask"])
def test_whatever_the_mask_measures_are_numbers(frames: int, case: str) -> None:
    sample = removal(4.0)
    mask = sample.mask[:frames].copy()
    if case == "empty at times":
        mask[::2] = False
    elif case == "everywhere":
        mask[:] = True
    elif case == "one pixel":
        mask[:] = False
        mask[:, 80, 100] = True
    short = PairFrames(
        sample.task,
        sample.source[:frames],
        sample.target[:frames],
        None if case == "no mask" else mask,
        made="target",
    )
    (measures,) = measures_of([short])
    assert measures.agreement.shape == (len(AGREEMENT_MEASURES),)
    assert np.isfinite(measures.agreement).all() and np.abs(measures.agreement).max() < 50


def test_measures_alone_are_measures_in_company() -> None:
    samples = [removal(4.0), removal(4.0, fill=blurred(4.0)), removal(0.0)]
    samples[1] = PairFrames(
        "object_removal", samples[0].source, samples[1].target, samples[0].mask, made="target"
    )  # shares its real side with the first
    for sample, together in zip(samples, measures_of(samples), strict=True):
        (alone,) = measures_of([sample])
        assert np.array_equal(alone.agreement, together.agreement)
        assert np.array_equal(alone.artefacts, together.artefacts)
