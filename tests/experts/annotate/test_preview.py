"""What is measured on a clip's small pictures is what is measured on its frames."""

import cv2
import numpy as np
import pytest

from experts.annotate.captions.subject import relative_focus, unfollowed_share
from experts.annotate.motion.camera import camera_path
from experts.annotate.preview import Preview


@pytest.fixture(scope="module")
def film():
    """A wall behind a disc, 720p, under a camera that pans."""
    rng = np.random.default_rng(3)
    wall = cv2.resize(rng.integers(0, 256, (45, 110, 3), np.uint8), (1760, 720))
    frames = np.stack([wall[:, 9 * t : 9 * t + 1280] for t in range(12)])
    skin = cv2.resize(rng.integers(0, 256, (45, 80, 3), np.uint8), (1280, 720))
    masks = np.zeros(frames.shape[:3], np.uint8)
    for t in range(12):
        cv2.circle(masks[t], (500 + 4 * t, 300), 150, 1, -1)
        frames[t] = np.where(masks[t][..., None] > 0, skin, frames[t])
    return frames, masks > 0


def test_a_camera_path_of_small_frames_is_that_of_the_frames(film):
    frames, masks = film
    preview = Preview.of(frames)
    assert preview.frames.shape == (12, 180, 320, 3)
    expected = camera_path(frames, masks)
    assert expected[-1, 0] == pytest.approx(-9 * 11, abs=2)
    np.testing.assert_array_equal(camera_path(preview.frames, masks, preview.size), expected)


def test_motion_and_focus_of_small_frames_are_those_of_the_frames(film):
    frames, masks = film
    preview = Preview.of(frames)
    nothing = np.zeros_like(masks)
    assert unfollowed_share(preview.frames, nothing) == unfollowed_share(frames, nothing) > 0
    looks = preview.looks
    assert looks == [0, 6, 11]  # 5.5 rounds to even
    focus = relative_focus(preview.sharp, masks[looks])
    assert focus == relative_focus(frames[looks], masks[looks])


def test_a_single_frame_is_looked_at_once():
    preview = Preview.of(np.zeros((1, 64, 96, 3), np.uint8))
    assert (preview.looks, len(preview.sharp), preview.size) == ([0], 1, (64, 96))
