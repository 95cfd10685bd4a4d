"""The camera's motion against truth: windows that move over a larger picture."""

import cv2
import numpy as np
import pytest

from experts.annotate.motion.camera import (
    accumulate,
    agreement,
    camera_motion,
    camera_path,
    deviation,
    fit_transform,
    track_corners,
    transform_flow,
)
from experts.annotate.motion.flow import flow
from experts.base import Frames, Masks

HEIGHT, WIDTH = 180, 320
PAN = np.array([[1.0, 0, -3.4], [0, 1, 1.2], [0, 0, 1]])
ZOOM = np.array([[1.02, 0.004, -4.0], [-0.004, 1.02, -1.5], [0, 0, 1]])
TILT = np.array([[1.01, 0.002, -2.0], [0.001, 1.012, 1.0], [6e-5, -4e-5, 1]])


def _texture() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (30, 50, 3), dtype=np.uint8).repeat(12, 0).repeat(12, 1)


def _moved(step: np.ndarray, count: int = 2) -> Frames:
    """`count` frames of a scene under a camera that makes the same `step` each time."""
    world = cv2.GaussianBlur(_texture(), (0, 0), 1.5)
    start = np.array([[1.0, 0, -120], [0, 1, -80], [0, 0, 1]])
    frames = []
    for _ in range(count):
        frames.append(cv2.warpPerspective(world, start, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC))
        start = step @ start
    return np.stack(frames)


def _grey(frames: Frames) -> list[np.ndarray]:
    return [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]


def _error(found: np.ndarray, truth: np.ndarray) -> float:
    """The largest distance, px, of the frame's pixels from where they should go."""
    apart = transform_flow(found, (HEIGHT, WIDTH)) - transform_flow(truth, (HEIGHT, WIDTH))
    return float(np.hypot(*np.moveaxis(apart, -1, 0)).max())


def _crossing(frames: Frames) -> tuple[Frames, Masks]:
    """The same with a large object that moves on its own, and its masks."""
    masks = np.zeros(frames.shape[:3], bool)
    out, thing = frames.copy(), _texture()[::-1, ::-1]
    for t, mask in enumerate(masks):
        mask[20:160, 40 + 9 * t : 220 + 9 * t] = True
        out[t][mask] = np.roll(thing, 9 * t, 1)[:HEIGHT, :WIDTH][mask] // 2
    return out, masks


@pytest.mark.parametrize("step", [PAN, ZOOM], ids=["pan", "zoom"])
@pytest.mark.parametrize("model", ["similarity", "homography"])
def test_tracked_corners_give_the_camera(step: np.ndarray, model: str) -> None:
    found = fit_transform(*track_corners(*_grey(_moved(step))), model=model)  # type: ignore[arg-type]
    assert _error(found, step) < 0.6


def test_only_a_homography_follows_perspective() -> None:
    corners = track_corners(*_grey(_moved(TILT)))
    assert _error(fit_transform(*corners, model="homography"), TILT) < 0.6
    assert _error(fit_transform(*corners), TILT) > 1.5


@pytest.mark.parametrize("step", [PAN, ZOOM], ids=["pan", "zoom"])
def test_a_flow_gives_the_camera_and_what_deviates_from_it(step: np.ndarray) -> None:
    frames, objects = _crossing(_moved(step))
    field = flow(*frames)
    (found,) = camera_motion([field], objects)
    assert _error(found, step) < 0.6
    assert agreement([field], [found], objects) > 0.8
    assert np.median(deviation(field, found)[objects[0]]) > 3


@pytest.mark.parametrize("model", ["similarity", "homography"])
def test_an_object_left_out_does_not_move_the_camera(model: str) -> None:
    frames, objects = _crossing(_moved(PAN))
    corners = track_corners(*_grey(frames), ~objects[0])
    assert _error(fit_transform(*corners, model=model), PAN) < 0.6  # type: ignore[arg-type]


def test_a_camera_stands_where_enough_of_the_picture_does() -> None:
    start = np.random.default_rng(0).uniform(0, 300, (100, 2)).astype(np.float32)
    traffic = start + np.array([5, 0], np.float32)
    traffic[:35] = start[:35]
    assert fit_transform(start, traffic)[0, 2] == pytest.approx(5, abs=0.1)  # most of it moves
    standing = fit_transform(start, traffic, static_px=0.2, static_share=0.3)
    assert np.array_equal(standing, np.eye(3))


def test_what_no_camera_does_is_a_cut() -> None:
    start = np.random.default_rng(0).uniform(0, 300, (100, 2)).astype(np.float32)
    away = start + np.array([400, 0], np.float32)
    assert fit_transform(start, away)[0, 2] == pytest.approx(400)
    assert np.array_equal(fit_transform(start, away, size=(HEIGHT, WIDTH)), np.eye(3))


def test_few_points_say_nothing() -> None:
    few = np.array([[0, 0], [9, 9], [5, 2]], np.float32)
    assert np.array_equal(fit_transform(few, few + 3), np.eye(3))


def test_steps_accumulate() -> None:
    path = accumulate([PAN, ZOOM])
    assert path.shape == (3, 3, 3)
    assert np.allclose(path[0], np.eye(3)) and np.allclose(path[2], ZOOM @ PAN)
    assert accumulate([]).shape == (1, 3, 3)


def test_a_pan_is_measured() -> None:
    world = _texture()
    frames = np.stack([world[40 - t : 240 - t, 3 * t : 3 * t + 400] for t in range(20)])
    path = camera_path(frames)
    assert np.abs(path[-1] - [-57, 19]).max() < 1.5


def test_an_object_does_not_move_the_path() -> None:
    world = _texture()[:200, :400]
    frames = np.repeat(world[None], 20, 0).copy()
    masks = np.zeros(frames.shape[:3], bool)
    for t in range(20):
        masks[t, 20:180, 10 * t : 10 * t + 180] = True
        frames[t][masks[t]] = np.roll(world, 10 * t, 1)[masks[t]] // 2
    assert np.abs(camera_path(frames, masks)).max() < 1


def test_nothing_to_track_is_a_static_camera() -> None:
    assert not camera_path(np.full((5, 64, 64, 3), 90, np.uint8)).any()
    assert camera_path(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0, 2)
