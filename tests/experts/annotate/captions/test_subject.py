"""What is in front and has no name is found by its motion, and by its focus."""

import cv2
import numpy as np
import pytest

from experts.annotate.captions.labels import is_the_subject
from experts.annotate.captions.subject import relative_focus, unfollowed_share

COUNT, HEIGHT, WIDTH = 12, 180, 320


def texture(seed, height=HEIGHT, width=3 * WIDTH):
    noise = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def film(pan=0, *, radius=0, moves=0, blur=0.0):
    """A textured wall that pans by `pan` px a frame; before it a disc, which moves by `moves`."""
    wall, skin = texture(1), texture(2)
    if blur:
        wall = cv2.GaussianBlur(wall, (0, 0), blur)
    frames = np.stack([wall[:, WIDTH + pan * t : 2 * WIDTH + pan * t] for t in range(COUNT)])
    discs = np.zeros((COUNT, HEIGHT, WIDTH), np.uint8)
    for t in range(COUNT):
        if radius:
            cv2.circle(discs[t], (120 + moves * t, 90), radius, 1, -1)
            frames[t] = np.where(discs[t][..., None] > 0, skin[:, :WIDTH], frames[t])
    return frames, discs > 0


NOTHING = np.zeros((COUNT, HEIGHT, WIDTH), bool)


@pytest.mark.parametrize("pan", [0, 3])
def test_a_wall_leaves_nothing_in_front(pan):
    assert unfollowed_share(film(pan)[0], NOTHING) < 0.01


def test_what_stays_where_the_picture_pans_is_in_front():
    frames, disc = film(3, radius=50)
    share = unfollowed_share(frames, NOTHING)
    assert share == pytest.approx(disc.mean(), rel=0.35)
    assert not is_the_subject(0.4 * share, share, 1.0)  # a few people on the wall
    assert is_the_subject(share, share, 1.0)


def test_what_a_track_follows_is_not_unnamed():
    frames, disc = film(3, radius=50)
    assert unfollowed_share(frames, disc) < 0.01


def test_the_sharp_one_is_the_subject_and_not_what_is_blurred_behind_it():
    frames, disc = film(radius=50, blur=4.0)
    far = np.zeros_like(disc)
    far[:, 20:80, 220:300] = True
    assert relative_focus(frames, disc) > 0.8
    assert relative_focus(frames, far) < 0.5
    assert not is_the_subject(0.2, 0.0, relative_focus(frames, far))
    assert relative_focus(film(radius=50)[0], far) > 0.8


def test_frames_and_masks_are_left_alone_and_the_same_gives_the_same():
    frames, disc = film(3, radius=40)
    before = frames.copy(), disc.copy()
    first = unfollowed_share(frames, disc), relative_focus(frames, disc)
    assert first == (unfollowed_share(frames, disc), relative_focus(frames, disc))
    assert np.array_equal(frames, before[0]) and np.array_equal(disc, before[1])


def test_one_frame_has_no_motion_and_nothing_named_is_not_out_of_focus():
    frames, disc = film(radius=40)
    assert unfollowed_share(frames[:1], disc[:1]) == 0.0
    assert relative_focus(frames, NOTHING) == 1.0
