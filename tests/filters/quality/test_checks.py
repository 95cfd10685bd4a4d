"""Plain faults are found, and what only resembles one is not."""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filters.base import FRAMES, PairFrames
from filters.features import AGREEMENT_MEASURES, measures_of
from filters.quality.checks import FROZEN, LIMITS, SMEARED, STRUCTURE_LOST, UNTOUCHED, fault
from filters.quality.limits import FaultLimits

Frames = NDArray[np.uint8]
SIZE = 160, 256


@functools.cache
def scene(pan: float, noise: float = 1.0) -> Frames:
    """Footage [17, 160, 256, 3] of a camera that pans by `pan` px a frame, noisy; nobody's to
    write to."""
    rng = np.random.default_rng(0)
    coarse = cv2.GaussianBlur(rng.random((SIZE[0], SIZE[1] + 120, 3), np.float32), (0, 0), 2)
    wide = 255 * (coarse - coarse.min()) / np.ptp(coarse)
    frames = [wide[:, round(pan * t) : round(pan * t) + SIZE[1]] for t in range(FRAMES)]
    noisy = np.stack(frames) + rng.normal(0, noise, (FRAMES, *SIZE, 3))
    footage = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    footage.flags.writeable = False
    return footage


@pytest.fixture(scope="module")
def masks() -> NDArray[np.bool_]:
    found = np.zeros((FRAMES, *SIZE), bool)
    for t in range(FRAMES):
        found[t, 50:110, 40 + 7 * t : 80 + 7 * t] = True
    return found


def removal(truth: Frames, masks: NDArray[np.bool_], fill: Frames) -> PairFrames:
    """Of a checkered object."""
    board = (np.indices(SIZE).sum(0) // 8 % 2 * 200 + 20).astype(np.uint8)
    real = np.where(masks[..., None], board[None, ..., None], truth)
    made = np.where(masks[..., None], fill, truth)
    return PairFrames("object_removal", real, made, masks, made="target")


def reasons(sample: PairFrames, *others: FaultLimits) -> list[str]:
    """By the limits that are shipped, then by these; measured once."""
    (measures,) = measures_of([sample])
    return [fault(sample, measures, limits) for limits in (LIMITS, *others)]


def reason(sample: PairFrames) -> str:
    return reasons(sample)[0]


def both_ways(sample: PairFrames) -> list[PairFrames]:
    """As a removal, and as an addition: the same pair read backwards."""
    addition = dataclasses.replace(
        sample, task="object_addition", source=sample.target, target=sample.source, made="source"
    )
    return [sample, addition]


@pytest.mark.parametrize("pan", [0.0, 3.0])
def test_a_right_removal_has_no_fault(pan: float, masks) -> None:
    truth = scene(pan)
    for sample in both_ways(removal(truth, masks, truth)):
        assert reason(sample) == ""


@pytest.mark.parametrize("part", ["all", "later frames", "lower half"])
def test_what_was_left_as_it_was_is_untouched(part: str, masks) -> None:
    truth = scene(3.0)
    real = removal(truth, masks, truth).source
    undone = np.zeros(masks.shape, bool)
    if part == "all":
        undone[:] = True
    elif part == "later frames":
        undone[9:] = True
    else:
        undone[:, 80:] = True
    fill = np.where(undone[..., None], real, truth)
    for sample in both_ways(removal(truth, masks, fill)):
        assert reason(sample) == UNTOUCHED


def test_a_style_that_stops_midway_is_untouched(masks) -> None:
    footage = scene(3.0)
    painted = 255 - footage
    styled = PairFrames("global_style_transfer", footage, painted, made="target")
    assert reason(styled) == ""
    stopped = np.concatenate([painted[:11], footage[11:]])
    assert reason(dataclasses.replace(styled, target=stopped)) == UNTOUCHED
    local = PairFrames(
        "local_style_transfer", footage, np.where(masks[..., None], painted, footage), masks,
        made="target",
    )  # fmt: skip
    assert reason(local) == ""
    gone = masks & (np.arange(FRAMES) < 8)[:, None, None]  # the object leaves the picture
    left = dataclasses.replace(local, target=np.where(gone[..., None], painted, footage), mask=gone)
    assert reason(left) != UNTOUCHED


@pytest.mark.parametrize("share", [0.0, 0.2, 0.8, 1.0])
def test_a_style_whose_pattern_drowns_the_scene_has_lost_its_structure(share: float, masks) -> None:
    footage, pattern = scene(3.0), np.roll(scene(3.0)[..., ::-1], (37, 61), (1, 2))
    mixed = np.rint(share * (255 - footage) + (1 - share) * pattern).astype(np.uint8)
    styled = PairFrames("global_style_transfer", footage, mixed, made="target")
    assert reason(styled) == (STRUCTURE_LOST if share < 0.5 else "")
    local = PairFrames(
        "local_style_transfer", footage, np.where(masks[..., None], mixed, footage), masks,
        made="target",
    )  # fmt: skip
    assert reason(local) != STRUCTURE_LOST  # a statue may lose what its cloth showed


@pytest.mark.parametrize("task", ["object_removal", "global_style_transfer"])
def test_frames_that_repeat_while_the_footage_moves_are_frozen(task: str, masks) -> None:
    truth = scene(3.0)
    if task == "object_removal":
        sample = removal(truth, masks, truth)
    else:
        sample = PairFrames(task, truth, 255 - truth, made="target")
    every_third = np.arange(FRAMES) // 3 * 3
    for order in (np.zeros(FRAMES, int), np.minimum(np.arange(FRAMES), 9), every_third):
        assert reason(dataclasses.replace(sample, target=sample.target[order])) == FROZEN


@pytest.mark.parametrize("since", [0, 8])
def test_a_fill_that_stops_while_the_camera_moves_is_frozen(since: int, masks) -> None:
    truth = scene(3.0)
    stopped = truth[np.minimum(np.arange(FRAMES), since)]
    for sample in both_ways(removal(truth, masks, stopped)):
        assert reason(sample) == FROZEN


def test_what_repeats_because_the_footage_does_is_not_frozen(masks) -> None:
    twice = np.arange(FRAMES) // 2 * 2  # 30 frames a second from 15
    truth = scene(3.0)[twice]
    held = masks[twice]
    assert reason(removal(truth, held, truth)) == ""
    assert reason(PairFrames("global_style_transfer", truth, 255 - truth, made="target")) == ""


def test_a_fill_of_what_stands_still_may_repeat_itself(masks) -> None:
    truth = scene(0.0)
    assert reason(removal(truth, masks, np.repeat(truth[:1], FRAMES, 0))) == ""


@pytest.mark.parametrize("fill", ["flat", "smeared"])
def test_a_fill_without_detail_is_smeared_unless_there_is_none(fill: str, masks) -> None:
    def filled(truth: Frames) -> Frames:
        if fill == "flat":
            return np.full_like(truth, 128)
        return np.stack([cv2.GaussianBlur(frame, (0, 0), 8) for frame in truth])

    truth = scene(3.0)
    unlimited = FaultLimits(blurred=-20, flattened=-20, jumps=20)
    assert reasons(removal(truth, masks, filled(truth)), unlimited) == [SMEARED, ""]
    smooth = np.stack([cv2.GaussianBlur(frame, (0, 0), 8) for frame in truth])
    assert reason(removal(smooth, masks, smooth)) == ""


@pytest.mark.parametrize("angle", [0, 35, 90])
def test_a_fill_smeared_in_one_direction_is_smeared(angle: int, masks) -> None:
    truth = scene(3.0)
    line = np.zeros((15, 15), np.float32)
    reach = 7 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    ends = [tuple(np.rint(7 + side * reach).astype(int).tolist()) for side in (-1, 1)]
    cv2.line(line, ends[0], ends[1], 1.0)
    fill = np.stack([cv2.filter2D(frame, -1, line / line.sum()) for frame in truth])
    for sample in both_ways(removal(truth, masks, fill)):
        # Nothing else finds it
        assert reasons(sample, FaultLimits(flattened=-20)) == [SMEARED, ""]


def test_a_fill_may_be_as_soft_as_good_removers_leave_it(masks) -> None:
    truth = scene(3.0)
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 0.6) for frame in truth])
    assert reason(removal(truth, masks, soft)) == ""


def behind_posts(truth: Frames, masks: NDArray[np.bool_]) -> tuple[Frames, NDArray[np.bool_]]:
    """Footage with posts before the object that pass twice as fast as what is behind it, and the
    object's visible part."""
    out, seen = truth.copy(), masks.copy()
    for t in range(FRAMES):
        for x in range(-6 * t % 44 - 44, SIZE[1], 44):
            post = slice(max(0, x), max(0, x + 16))
            out[t, :, post] = (96, 70, 40)
            seen[t, :, post] = False
    return out, seen


def test_what_passes_before_the_object_is_not_the_object(masks) -> None:
    footage, seen = behind_posts(scene(3.0), masks)
    board = np.array([150, 140, 100], np.uint8)  # far from the posts' colour, near to the scene's
    real = np.where(seen[..., None], board, footage).astype(np.uint8)
    right = PairFrames("object_removal", real, footage, seen, made="target")
    assert measures_of([right])[0].plain["kept"] < LIMITS.kept
    assert reason(right) != UNTOUCHED
    undone = seen & (np.arange(SIZE[0]) >= 72)[None, :, None]
    half = np.where(undone[..., None], real, footage)
    assert reason(dataclasses.replace(right, target=half)) == UNTOUCHED


@pytest.mark.parametrize(
    ("here", "here_half", "expected"),
    [
        (-0.06, -0.16, ""),  # as a cow in high grass under a zoom, another one walking by
        (-0.5, -0.8, FROZEN),  # the same, stopped midway
        (0.0, 0.0, FROZEN),  # no place of the hole is seen for two steps: nothing speaks for it
    ],
)
def test_a_fill_that_changes_as_its_places_do_is_not_frozen(
    here: float, here_half: float, expected: str, masks
) -> None:
    """Whatever jumps at its rim, or moves beside it."""
    truth = scene(3.0)
    sample = removal(truth, masks, truth)
    measures = measures_of([sample])[0]
    given = {"crossing_calm_half": 0.94, "calm": -0.53, "here": here, "here_half": here_half}
    columns = dict(zip(AGREEMENT_MEASURES, measures.agreement.tolist(), strict=True)) | given
    agreement = np.array(list(columns.values()), np.float32)
    jumping = dataclasses.replace(measures, agreement=agreement)
    assert fault(sample, jumping) == expected
