"""Fake scribbles: strokes where the edges are, and no flicker of strokes."""

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from experts.annotate.maps.scribble import clip_flow, ridges, steady_lines, steady_ridges, strokes
from experts.base import EditRequest
from experts.edit.maps.fake_scribble import LIMITS, STEP, FakeScribbleMap
from experts.edit.maps.fake_scribble import THRESHOLD as THRESHOLDS
from experts.masks.geometry import dilate

SIGMA, THRESHOLD = 2.0, 100.0


def footage(frames: int = 8, step: int = 0) -> NDArray[np.uint8]:
    """A texture that slides by `step` px a frame."""
    rng = np.random.default_rng(1)
    wide = cv2.GaussianBlur(rng.integers(0, 256, (120, 300, 3), np.uint8), (0, 0), 2)
    return np.stack([wide[:, step * t : step * t + 160] for t in range(frames)])


def bars(levels: list[int], step: int = 0) -> NDArray[np.uint8]:
    """An upright edge 7 px wide at x = 80, moving with the footage, of one strength per frame."""
    maps = np.zeros((len(levels), 120, 160), np.uint8)
    for t, level in enumerate(levels):
        x = 80 - step * t
        maps[t, 20:100, x - 3 : x + 4] = level
    return maps


def followed(
    maps: NDArray[np.uint8], frames: NDArray[np.uint8], sigma: float, threshold: float
) -> NDArray[np.bool_]:
    flows = clip_flow(frames)
    return steady_lines(steady_ridges(maps, flows, sigma), flows, threshold)


def test_a_ridge_is_a_thin_line_along_the_edge() -> None:
    line = ridges(bars([255])[0].astype(np.float32), SIGMA) > THRESHOLD
    assert line[30:90].sum(axis=1).tolist() == [1] * 60
    assert line[30:90, 80].all()


def test_a_line_near_the_threshold_is_there_all_the_time_or_never() -> None:
    around = [140, 104, 140, 104, 112, 140, 104, 140]  # after the blur, on both sides of 100
    alone = [ridges(m.astype(np.float32), SIGMA)[60] > THRESHOLD for m in bars(around)]
    assert 0 < sum(row.any() for row in alone) < len(alone)
    lines = followed(bars(around), footage(), SIGMA, THRESHOLD)
    assert len({bool(each[60, 76:85].any()) for each in lines}) == 1


def test_a_line_follows_the_footage_through_a_weak_frame() -> None:
    levels = [220, 220, 220, 120, 220, 220, 220, 220]
    lines = followed(bars(levels, step=2), footage(step=2), SIGMA, THRESHOLD)
    for t, each in enumerate(lines):
        assert each[60, 80 - 2 * t - 2 : 80 - 2 * t + 3].any()
        assert not each[60, 80 - 2 * t + 8 :].any()


def test_a_speck_is_not_drawn() -> None:
    maps = np.zeros((3, 120, 160), np.uint8)
    maps[:, 60:62, 60:62] = 255
    assert not followed(maps, footage(3), 1.0, 90.0).any()


def test_strokes_are_thick_and_keep_their_place_at_any_size() -> None:
    line = np.zeros((60, 80), bool)
    line[10:50, 40] = True
    drawn = strokes(line, 2.0, (120, 160))
    width = drawn[60].sum()
    assert 10 <= width <= 22
    assert abs(np.flatnonzero(drawn[60]).mean() - 80.5) <= 1


@pytest.mark.weights
def test_scribbles_of_a_moving_square_are_its_outline() -> None:
    frames = np.full((6, 200, 240, 3), 60, np.uint8)
    for t, frame in enumerate(frames):
        frame[60:140, 60 + 3 * t : 150 + 3 * t] = (200, 190, 170)
    result = FakeScribbleMap().edit(EditRequest("fake_scribble_detection", frames, seed=4))
    drawn = result.frames[..., 0] > 0
    assert set(np.unique(result.frames)) == {0, 255}
    for t, each in enumerate(drawn):
        outline = np.zeros((200, 240), np.uint8)
        cv2.rectangle(outline, (60 + 3 * t, 60), (149 + 3 * t, 139), 1)
        near = dilate(outline > 0, 12)
        assert each[outline > 0].mean() > 0.8
        assert not each[~near].any()
    for a, b in itertools.pairwise(drawn):
        assert abs(int(a.sum()) - int(b.sum())) < 0.1 * a.sum()
    assert result.info["strokes"] == pytest.approx(drawn.mean(), abs=1e-3)


@pytest.mark.weights
def test_the_seed_draws_how_simple_and_how_thick_strokes_are() -> None:
    frames = footage(2)
    expert = FakeScribbleMap()
    infos = [
        expert.edit(EditRequest("fake_scribble_detection", frames, seed=s)).info for s in (1, 2)
    ]
    assert infos[0]["stroke_sigma"] != infos[1]["stroke_sigma"]


@pytest.mark.weights
def test_still_footage_gives_still_scribbles() -> None:
    frames = np.repeat(footage(1), 5, axis=0)
    request = EditRequest("fake_scribble_detection", frames, seed=3)
    result = FakeScribbleMap().edit(request)
    assert result.frames.any()
    assert (result.frames == result.frames[0]).all()
    assert FakeScribbleMap().edit(request).frames.tobytes() == result.frames.tobytes()


@pytest.mark.weights
def test_soft_footage_gets_a_lower_threshold_and_black_footage_ends() -> None:
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 4) for frame in footage(2)])
    for frames in (soft, np.zeros_like(soft)):
        info = FakeScribbleMap().edit(EditRequest("fake_scribble_detection", frames, seed=1)).info
        assert LIMITS[0] <= info["threshold"] <= THRESHOLDS[1]
    assert info["strokes"] == 0
    assert info["threshold"] < LIMITS[0] / STEP
