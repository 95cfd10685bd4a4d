import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from experts.masks.geometry import box_of, dilate
from experts.masks.kinds import KINDS, SMOOTHING, augment, hull

tracks = arrays(bool, st.tuples(st.integers(1, 9), st.integers(2, 20), st.integers(2, 20)))


def filled_box(mask: np.ndarray) -> bool:
    box = box_of(mask)
    if box is None:
        return True
    x0, y0, x1, y1 = map(int, box)
    return bool(mask[y0:y1, x0:x1].all())


@given(tracks, st.sampled_from(KINDS), st.integers(0, 4))
def test_every_kind_contains_the_mask_and_stays_away_where_it_is_absent(masks, kind, grow) -> None:
    before = masks.copy()
    made = augment(masks, kind, grow)
    assert not (masks & ~made).any()
    assert not made[~masks.any(axis=(1, 2))].any()
    assert (masks == before).all() and made.dtype == bool


@given(tracks, st.integers(0, 4))
def test_boxes_are_boxes(masks, grow) -> None:
    assert all(map(filled_box, augment(masks, "box")))
    assert all(map(filled_box, augment(masks, "box+expand", grow)))


@given(tracks)
def test_a_hull_is_convex(masks) -> None:
    """Between any two of its pixels every pixel that the line meets exactly is in it."""
    for mask in masks:
        made = hull(mask)
        assert (hull(made) == made).all()
        points = np.argwhere(made)
        for a in points[:: max(1, len(points) // 12)]:
            middles = points[((points + a) % 2 == 0).all(axis=1)]
            assert made[tuple(((middles + a) // 2).T)].all()


@pytest.mark.parametrize(("kind", "exact"), [("expand", "exact"), ("hull+expand", "hull")])
@pytest.mark.parametrize("grow", [1, 3, 8])
def test_expand_grows_by_its_px(kind: str, exact: str, grow: int) -> None:
    masks = np.zeros((1, 80, 80), bool)
    masks[0, 30:50, 30:40] = masks[0, 30:36, 30:50] = True  # an L
    base, made = augment(masks, exact)[0], augment(masks, kind, grow)[0]
    assert (made == dilate(base, grow)).all()
    assert box_of(made) == (30 - grow, 30 - grow, 50 + grow, 50 + grow)


def test_box_expand_grows_by_its_px_and_stays_in_the_picture() -> None:
    masks = np.zeros((1, 40, 40), bool)
    masks[0, 2:20, 15:22] = True
    assert box_of(augment(masks, "box+expand", 5)[0]) == (10, 0, 27, 25)


def test_the_hull_of_a_known_shape() -> None:
    mask = np.zeros((12, 12), bool)
    mask[2, 2] = mask[2, 8] = mask[8, 2] = True  # a right triangle of side 6
    assert hull(mask).sum() == 7 * 8 // 2


def test_a_box_does_not_tremble() -> None:
    masks = np.zeros((40, 60, 120), bool)
    rng = np.random.default_rng(0)
    for k in range(40):
        left, ragged = 10 + 2 * k, rng.integers(0, 4)
        masks[k, 20 - ragged : 40, left : left + 20] = True
    tops = [box_of(m)[1] for m in masks]
    steadied = [box_of(m)[1] for m in augment(masks, "box")]
    assert np.abs(np.diff(steadied)).max() <= 1 < np.abs(np.diff(tops)).max()
    rights = [box_of(m)[2] for m in augment(masks, "box")]
    assert max(right - (30 + 2 * k) for k, right in enumerate(rights)) <= 2 * 2 * SMOOTHING


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="'circle'"):
        augment(np.zeros((1, 4, 4), bool), "circle")
