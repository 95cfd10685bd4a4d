"""Motion and background of made-up clips, and masks laid on it."""

import numpy as np
import pytest

from experts.annotate.motion.camera import accumulate, agreement, camera_motion
from experts.annotate.motion.statistics import flows, measure
from experts.local_edits.paste import (
    background_of,
    boxes_along,
    find_place,
    paste,
    relative_to_first,
)

HEIGHT, WIDTH, FRAMES = 96, 160, 8


def panning(pan: int = 2) -> np.ndarray:
    """A calm left half and a busy right one, in front of a camera that turns."""
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 255, (12, 24, 3), np.uint8).repeat(8, 0).repeat(8, 1).astype(float)
    calm = rng.integers(115, 130, (12, 24, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    wide[:, :110] = calm[:, :110]
    return np.stack([wide[:, pan * k : pan * k + WIDTH] for k in range(FRAMES)]).astype(np.uint8)


def test_motion_inside_outside_and_between() -> None:
    clip = panning(2)
    masks = np.zeros(clip.shape[:3], bool)
    for k in range(FRAMES):
        masks[k, 40:64, 10 + 3 * k : 34 + 3 * k] = True
        noise = np.random.default_rng(5).integers(0, 255, (6, 6, 3), np.uint8)
        clip[k, 40:64, 10 + 3 * k : 34 + 3 * k] = noise.repeat(4, 0).repeat(4, 1)
    found = measure(flows(clip), masks)
    assert found is not None
    assert found.foreground == pytest.approx(3, abs=0.4)
    assert found.background == pytest.approx(2, abs=0.4)
    assert found.relative == pytest.approx(5, abs=0.5)


def test_an_image_has_no_motion() -> None:
    assert measure([], np.ones((1, 8, 8), bool)) is None


def test_the_camera_is_followed_and_a_static_one_is_static() -> None:
    clip = panning(2)
    nothing = np.zeros(clip.shape[:3], bool)
    fields = flows(clip)
    steps = camera_motion(fields, nothing)
    assert accumulate(steps)[-1] == pytest.approx(
        np.array([[1, 0, -14], [0, 1, 0], [0, 0, 1]]), abs=0.7
    )
    assert agreement(fields, steps, nothing) > 0.9
    static = camera_motion(flows(np.repeat(clip[:1], 3, 0)), nothing[:3])
    assert all((step == np.eye(3)).all() for step in static)


@pytest.mark.parametrize("follows", [False, True])
def test_a_mask_lies_on_calm_ground_away_from_every_object(follows: bool) -> None:
    clip = panning(2)
    occupied = np.zeros(clip.shape[:3], bool)
    occupied[:, :40] = True  # an object over the top of the calm half
    fields = flows(clip)
    steps = camera_motion(fields, occupied)
    background = background_of(clip, occupied, fields, steps)
    box = np.array([300.0, 100.0, 340.0, 140.0])  # 40×40 px of a larger clip
    trajectory = relative_to_first(
        np.stack([box + np.array([4, 0, 4, 0]) * k for k in range(FRAMES)])
    )
    path = accumulate(steps) if follows else None
    rng = np.random.default_rng(1)
    place = find_place(background, trajectory, path, 0.6, rng, min_area=0.004)
    assert place is not None
    assert place.detail <= place.usual_detail
    size = (40 * place.scale, 40 * place.scale)
    boxes = (
        boxes_along(size, (place.x, place.y), path)
        if follows
        else (trajectory * place.scale + [place.x, place.y, place.x, place.y])
    )
    assert (boxes[:, 1] >= 40).all() and boxes[0, 2] <= 110
    assert find_place(background, trajectory, path, 0.6, np.random.default_rng(1), 0.004) == place


def test_there_may_be_no_place() -> None:
    clip = panning(0)
    background = background_of(clip, np.ones(clip.shape[:3], bool), flows(clip), [np.eye(3)] * 7)
    trajectory = relative_to_first(np.tile([0.0, 0, 20, 20], (FRAMES, 1)))
    assert find_place(background, trajectory, None, 1, np.random.default_rng(0), 0.004) is None


def test_a_pasted_mask_keeps_its_shape_at_its_scale() -> None:
    masks = np.zeros((1, 40, 40), bool)
    masks[0, 10:30, 5:15] = True
    moved = paste(masks, np.array([[[2.0, 0, 20], [0, 2, 10]]]), (96, 160))
    rows, columns = np.nonzero(moved[0])
    assert (rows.min(), rows.max() + 1) == pytest.approx((30, 70), abs=1)
    assert (columns.min(), columns.max() + 1) == pytest.approx((30, 50), abs=1)
