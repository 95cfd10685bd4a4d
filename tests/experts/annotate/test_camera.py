import numpy as np

from experts.annotate.camera import camera_path


def _texture() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (30, 50, 3), dtype=np.uint8).repeat(12, 0).repeat(12, 1)


def test_a_pan_is_measured() -> None:
    world = _texture()
    frames = np.stack([world[40 - t : 240 - t, 3 * t : 3 * t + 400] for t in range(20)])
    path = camera_path(frames)
    assert np.abs(path[-1] - [-57, 19]).max() < 1.5


def test_an_object_does_not_move_the_camera() -> None:
    world = _texture()[:200, :400]
    frames = np.repeat(world[None], 20, 0).copy()
    masks = np.zeros(frames.shape[:3], bool)
    for t in range(20):
        masks[t, 20:180, 10 * t : 10 * t + 180] = True
        frames[t][masks[t]] = np.roll(world, 10 * t, 1)[masks[t]] // 2
    assert np.abs(camera_path(frames, masks)).max() < 1


def test_nothing_to_track_is_a_still_camera() -> None:
    assert not camera_path(np.full((5, 64, 64, 3), 90, np.uint8)).any()
    assert camera_path(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0, 2)
