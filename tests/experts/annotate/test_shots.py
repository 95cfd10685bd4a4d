import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from catalog.media import iter_frames, read_video, write_video
from experts.annotate.shots import (
    INPUT_SIZE,
    MARGIN,
    WINDOW,
    ShotDetector,
    split,
    windows,
)
from experts.annotate.transnetv2 import DILATIONS, DilatedCell, neighbour_similarity
from experts.weights import fetch


@pytest.fixture(scope="module")
def detector() -> ShotDetector:
    detector = ShotDetector()
    detector.load()
    return detector


def texture(seed: int, tint: tuple[float, float, float], frames: int) -> np.ndarray:
    """A smooth random texture that drifts by two pixels a frame."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.random((96, 400)).astype(np.float32), (0, 0), 4)
    noise = (noise - noise.min()) / np.ptp(noise)
    views = np.stack([noise[:, 2 * t : 2 * t + 160] for t in range(frames)])
    return (views[..., None] * np.array(tint) * 255).astype(np.uint8)


def test_convolutions_in_two_dimensions_are_the_published_ones_in_three() -> None:
    torch.manual_seed(0)
    cell, x = DilatedCell(5, 4).eval(), torch.randn(2, 11, 6, 7, 5)
    layers = [getattr(cell, f"Conv3D_{dilation}").layers for dilation in DILATIONS]
    planes = x.permute(0, 4, 1, 2, 3)
    published = cell.bn(torch.cat([time(space(planes)) for space, time in layers], dim=1))
    torch.testing.assert_close(cell(x), published.permute(0, 2, 3, 4, 1))


def test_a_run_of_transitions_separates_two_shots() -> None:
    probabilities = np.array([0, 0, 0.9, 0, 0, 0.6, 0.9, 0.6, 0, 0], np.float32)
    assert split(probabilities, 0.5) == [(0, 3), (3, 6), (8, 10)]
    assert split(np.zeros(4), 0.5) == [(0, 4)]
    assert split(np.array([0, 0, 0.9]), 0.5) == [(0, 3)]
    assert split(np.zeros(0), 0.5) == []


@given(st.lists(st.booleans(), max_size=60))
def test_shots_are_in_order_and_miss_only_transitions(cuts: list[bool]) -> None:
    shots = split(np.array(cuts, float), 0.5)
    assert all(first < last for first, last in shots)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(shots))
    covered = {frame for first, last in shots for frame in range(first, last)}
    assert {frame for frame, cut in enumerate(cuts) if not cut} <= covered


@given(st.integers(1, 320))
def test_each_frame_is_in_the_middle_of_one_window(count: int) -> None:
    frames = [np.full((1, 1, 3), t % 256, np.uint8) for t in range(count)]
    middles: list[int] = []
    for window, valid in windows(frames):
        assert len(window) == WINDOW
        middles += window[MARGIN : MARGIN + valid, 0, 0, 0].tolist()
    assert middles == [t % 256 for t in range(count)]


def test_windows_pad_with_the_first_and_last_frame() -> None:
    frames = [np.full((1, 1, 3), t, np.uint8) for t in range(60)]
    first, second = (window[:, 0, 0, 0] for window, _ in windows(frames))
    assert first[:MARGIN].tolist() == [0] * MARGIN
    assert first[MARGIN : MARGIN + 60].tolist() == list(range(60))
    assert set(first[MARGIN + 60 :].tolist()) == {59}
    assert second[MARGIN : MARGIN + 10].tolist() == list(range(50, 60))


def test_windows_hold_no_more_than_one_window() -> None:
    drawn = 0

    def endless():
        nonlocal drawn
        while True:
            drawn += 1
            yield np.zeros((1, 1, 3), np.uint8)

    for number, _ in enumerate(itertools.islice(windows(endless()), 20)):
        assert drawn <= (number + 2) * (WINDOW - 2 * MARGIN)


def test_neighbours_are_50_before_to_50_after() -> None:
    x = torch.arange(1.0, 61.0)[None, :, None]
    similarity = neighbour_similarity(x)[0]
    assert similarity.shape == (60, 101)
    assert similarity[10, 50] == 11 * 11
    assert similarity[10, 53] == 11 * 14
    assert similarity[10, 39] == 0  # frame -1
    assert similarity[59, 51] == 0  # frame 60


@pytest.mark.weights
def test_a_cut_between_textures_is_found_where_it_is(
    tmp_path: Path, detector: ShotDetector
) -> None:
    frames = np.concatenate([texture(1, (1, 0.7, 0.4), 28), texture(2, (0.5, 0.9, 1), 22)])
    write_video(tmp_path / "two.mp4", frames, 25)
    stored = iter_frames(tmp_path / "two.mp4", size=INPUT_SIZE)
    assert detector.shots(stored) == [(0, 28), (28, 50)]


@pytest.mark.weights
def test_cuts_between_real_clips_are_found_and_motion_is_not_taken_for_one(
    detector: ShotDetector,
) -> None:
    city = read_video(fetch("clip_city"), 0, 60, size=INPUT_SIZE)
    cars = read_video(fetch("clip_motorway"), 0, 40, size=INPUT_SIZE)
    probabilities = detector.transitions(np.concatenate([city[:40], cars, city[40:]]))
    assert split(probabilities, 0.5) == [(0, 40), (40, 80), (80, 100)]
    assert np.delete(probabilities, [39, 79]).max() < 0.1


@pytest.mark.weights
def test_a_dissolve_is_found_within_its_frames(detector: ShotDetector) -> None:
    city = read_video(fetch("clip_city"), 0, 60, size=INPUT_SIZE)
    cars = read_video(fetch("clip_motorway"), 0, 60, size=INPUT_SIZE)
    share = np.linspace(0, 1, 12)[1:-1, None, None, None]
    mixed = ((1 - share) * city[40:50] + share * cars[:10]).astype(np.uint8)
    first, second = split(detector.transitions(np.concatenate([city[:40], mixed, cars[10:]])), 0.5)
    assert 40 <= first[1] <= second[0] <= 51


@pytest.mark.weights
def test_a_video_shorter_than_a_window(detector: ShotDetector) -> None:
    city = read_video(fetch("clip_city"), 0, 3, size=INPUT_SIZE)
    assert split(detector.transitions(city), 0.5) == [(0, 3)]
    assert split(detector.transitions(city[:1]), 0.5) == [(0, 1)]
    assert split(detector.transitions(city[:0]), 0.5) == []
