from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.media import read_video
from experts.annotate.detection.detect import (
    Detection,
    Detector,
    drop_doubles,
    iou,
    letterbox,
    tiles,
)
from experts.weights import fetch


@pytest.fixture(scope="module")
def detector() -> Detector:
    detector = Detector()
    detector.load()
    return detector


def test_iou_of_known_boxes() -> None:
    assert iou((0, 0, 2, 2), (0, 0, 2, 2)) == 1
    assert iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert iou((0, 0, 2, 2), (2, 0, 4, 2)) == 0
    assert iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0


def test_of_two_boxes_round_one_object_the_better_stays() -> None:
    worse = Detection("car", 0.5, (0, 0, 100, 100))
    better = Detection("car", 0.8, (2, 2, 101, 101))
    other_kind = Detection("truck", 0.6, (0, 0, 100, 100))
    other_place = Detection("car", 0.4, (50, 0, 150, 100))
    kept = drop_doubles([worse, better, other_kind, other_place])
    assert kept == [better, other_kind, other_place]


@given(st.integers(1, 900), st.integers(1, 900))
def test_the_letterbox_keeps_the_shape_and_pads_right_or_below(height: int, width: int) -> None:
    square = letterbox(np.zeros((height, width, 3), np.uint8), 64)
    assert square.shape == (64, 64, 3)
    rows = int((square[:, 0, 0] == 0).sum())
    columns = int((square[0, :, 0] == 0).sum())
    assert max(rows, columns) == 64
    assert not square[:rows, :columns].any()
    assert min(rows, columns) == max(1, round(64 * min(height, width) / max(height, width)))


@pytest.mark.weights
def test_people_and_cars_are_found_in_a_street(detector: Detector) -> None:
    frame = read_video(fetch("clip_city"), 40, 1)[0]
    (found,) = detector.detect([frame])
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
    assert min(d.score for d in found) >= detector.threshold
    labels = [d.label for d in found]
    assert labels.count("person") >= 3
    assert labels.count("car") >= 2
    # read off the picture: the man in the striped shirt
    man = (289.0, 323.0, 363.0, 508.0)
    assert max(iou(d.box, man) for d in found if d.label == "person") > 0.75


@pytest.mark.weights
@pytest.mark.parametrize("turned", [False, True])
def test_boxes_are_in_the_frames_own_pixels(detector: Detector, turned: bool) -> None:
    # The same picture at another scale, and lying on a tall canvas, keeps its boxes.
    frame = read_video(fetch("clip_bikes"), 40, 1)[0]
    (before,) = detector.detect([frame])
    best = before[0]
    assert best.label == "person"
    scale = 1.5
    other = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    if turned:
        other = np.concatenate([other, *[np.full_like(other, 127)] * 2])  # taller than wide
    (after,) = detector.detect([other])
    expected = tuple(scale * v for v in best.box)
    assert max(iou(d.box, expected) for d in after if d.label == "person") > 0.85
    height, width = other.shape[:2]
    assert all(0 <= d.box[0] < d.box[2] <= width for d in after)
    assert all(0 <= d.box[1] < d.box[3] <= height for d in after)


@pytest.mark.weights
def test_nothing_is_found_where_nothing_is(detector: Detector) -> None:
    assert detector.detect([np.full((240, 320, 3), 127, np.uint8)]) == [[]]
    assert detector.detect([]) == []


@pytest.mark.weights
def test_threads_share_a_detector(detector: Detector) -> None:
    frames = read_video(fetch("clip_motorway"), 0, 4, stride=40)
    alone = detector.detect(frames)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda frame: detector.detect([frame])[0], frames))
    assert together == alone


@given(st.integers(16, 900), st.integers(16, 900))
def test_tiles_cover_an_oblong_frame_and_spare_a_square_one(width: int, height: int) -> None:
    squares = tiles(width, height)
    if max(width, height) < 1.2 * min(width, height):
        assert squares == []
        return
    covered = np.zeros((height, width), bool)
    for x, y, side in squares:
        assert side == min(width, height)
        assert x + side <= width
        assert y + side <= height
        covered[y : y + side, x : x + side] = True
    assert covered.all()


@pytest.mark.weights
def test_tiles_find_more_and_cut_nothing(detector: Detector) -> None:
    frame = read_video(fetch("clip_motorway"), 100, 1)[0]
    whole = drop_doubles(detector._look(frame, frame.shape[1], frame.shape[0]))
    (found,) = detector.detect([frame])
    assert len(found) > 1.3 * len(whole)
    for one in whole:  # a tile's half of an object does not stand beside the whole
        assert sum(iou(one.box, f.box) > 0.5 and f.label == one.label for f in found) <= 2
