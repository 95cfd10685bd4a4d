"""What encoders say: cosines by hand, the edited region, the stand-in."""

import numpy as np
import pytest

from filters.metrics import mean
from filters.metrics.similarity import (
    SMALLEST_REGION,
    clip_score,
    regions,
    temporal_consistency,
)


def test_clip_score_is_a_cosine() -> None:
    meanings = np.array([[1, 0], [0, 2], [3, 3], [-1, 0]], np.float32)
    text = np.array([1, 0], np.float32)
    assert clip_score(meanings, text) == pytest.approx([1, 0, 0.5**0.5, -1])


def test_temporal_consistency_is_that_of_neighbours() -> None:
    looks = np.array([[1, 0], [1, 0], [0, 1], [-5, 0]], np.float32)
    assert temporal_consistency(looks) == pytest.approx([1, 0, 0])
    assert mean(temporal_consistency(looks[:1])) is None


def test_a_region_is_a_square_around_the_mask_and_inside_the_frame() -> None:
    frames = np.arange(3 * 100 * 200 * 3, dtype=np.uint32).astype(np.uint8).reshape(3, 100, 200, 3)
    masks = np.zeros((3, 100, 200), bool)
    masks[0, 40:50, 60:120] = True  # wide: the square is 60 px high
    masks[2, :5, 190:] = True  # small, in the corner
    wide, corner = regions(frames, masks)  # none for the frame in the middle
    assert np.array_equal(wide, frames[0, 15:75, 60:120])
    assert np.array_equal(corner, frames[2, :SMALLEST_REGION, -SMALLEST_REGION:])
    masks[1] = True  # higher than the frame: cut
    assert regions(frames, masks)[1].shape == (100, 200, 3)
    assert regions(frames, np.zeros_like(masks)) == []


@pytest.mark.weights
def test_the_stand_in_tells_a_still_clip_and_its_words(encoder) -> None:
    from filters.metrics.standin import StandIn

    made = StandIn(encoder)
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 255, (96, 160, 3), np.uint8)
    seen = made.images([frame, frame, np.zeros_like(frame)])
    still, cut = temporal_consistency(seen.visual)
    assert still == pytest.approx(1) and cut < 0.9
    assert np.linalg.norm(seen.visual, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert seen.textual.shape[1] == made.texts(["a car"]).shape[1]
    assert not made.is_clip
