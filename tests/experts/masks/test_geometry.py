import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from experts.masks.geometry import box_iou, box_of, clean, dilate, feather, iou

any_mask = arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24)))


def square(size: int, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[y0:y1, x0:x1] = True
    return mask


@given(any_mask)
def test_the_box_is_the_tightest(mask: np.ndarray) -> None:
    box = box_of(mask)
    if box is None:
        assert not mask.any()
        return
    x0, y0, x1, y1 = (int(value) for value in box)
    inside = mask[y0:y1, x0:x1]
    assert inside.sum() == mask.sum()
    assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()


def test_overlaps_of_masks_and_of_their_boxes_agree() -> None:
    a, b = square(20, 0, 0, 10, 10), square(20, 5, 0, 15, 10)
    assert iou(a, b) == pytest.approx(1 / 3)
    assert box_iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert box_iou((0, 0, 10, 10), (10, 0, 20, 10)) == 0
    assert iou(a & b & ~a, ~a & a) == 0


def test_clean_drops_islands_fills_holes_and_keeps_what_is_large() -> None:
    mask = square(60, 5, 5, 45, 45) | square(60, 50, 5, 55, 45)  # two parts, 1600 and 200 px
    wanted = mask.copy()
    wanted[20:35, 20:35] = False  # a real opening, 225 px
    dirty = wanted.copy()
    dirty[8:10, 8:10] = False
    dirty[55:57, 55:57] = True
    assert np.array_equal(clean(dirty), wanted)


def test_a_bay_at_the_frame_is_no_hole() -> None:
    mask = square(30, 0, 0, 30, 30)
    mask[0, 10:12] = False
    assert np.array_equal(clean(mask), mask)


@given(any_mask)
def test_clean_takes_only_islands_and_adds_only_holes(mask: np.ndarray) -> None:
    once = clean(mask)
    assert once.any() == mask.any()
    framed = np.pad(mask, 1).astype(np.uint8)
    _, islands = cv2.connectedComponents(framed, connectivity=8)
    _, gaps = cv2.connectedComponents(1 - framed, connectivity=4)
    islands, gaps = islands[1:-1, 1:-1], gaps[1:-1, 1:-1]
    for part in np.unique(islands[mask]):
        assert len(set(once[islands == part])) == 1  # whole or gone
    outside = cv2.connectedComponents(1 - framed, connectivity=4)[1][0, 0]
    assert not (once & ~mask & (gaps == outside)).any()


@given(any_mask, st.integers(1, 3))
def test_dilation_grows_and_erosion_shrinks(mask: np.ndarray, radius: int) -> None:
    assert (dilate(mask, radius) >= mask).all()
    assert (dilate(mask, -radius) <= mask).all()
    assert np.array_equal(dilate(mask, 0), mask)


def test_feather_is_one_inside_and_falls_to_zero_at_its_radius() -> None:
    soft = feather(square(30, 10, 10, 20, 20), radius=4)
    assert (soft[10:20, 10:20] == 1).all()
    assert soft[15, 20] == pytest.approx(0.75)
    assert soft[15, 22] == pytest.approx(0.25)
    assert soft[15, 23] == 0
