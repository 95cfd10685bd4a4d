"""Fitting sizes and cropping frames to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import BadInput
from catalog.media import crop_resize, fit_size


@pytest.mark.parametrize(
    ("width", "height", "target", "expected"),
    [
        (1920, 1080, (336, 592), (336, 592)),
        (854, 480, (336, 592), (336, 592)),
        (640, 272, (336, 592), (272, 464)),  # 272 rows allow 479 columns
        (320, 1000, (336, 592), (176, 320)),
        (854, 480, (1120, 1984), (480, 848)),
        (640, 640, (1280, 1984), (400, 640)),  # 412 rows, down to a multiple of 16
    ],
)
def test_the_largest_size_that_fits(width, height, target, expected):
    assert fit_size(width, height, *target) == expected


@given(st.integers(64, 4000), st.integers(64, 4000), st.integers(64, 2000), st.integers(64, 2000))
def test_never_upscaled_and_as_large_as_can_be(width, height, target_h, target_w):
    try:
        h, w = fit_size(width, height, target_h, target_w)
    except BadInput:
        scale = min(width / target_w, height / target_h)
        assert min(target_h * scale, target_w * scale) < 17
        return
    assert h <= min(height, target_h) and w <= min(width, target_w)
    assert h % 16 == w % 16 == 0
    # One multiple more on both sides would no longer fit into the source or the target.
    assert w + 16 > min(width, target_w) or h + 16 > min(height, target_h)


def test_nothing_fits():
    with pytest.raises(BadInput) as caught:
        fit_size(10, 10, 336, 592)
    assert caught.value.reason == "too_small"


def test_crop_is_centred():
    frames = np.zeros((2, 60, 100, 3), np.uint8)
    frames[:, :, 20:80] = 200
    np.testing.assert_array_equal(crop_resize(frames, (60, 60)), np.full((2, 60, 60, 3), 200))
    np.testing.assert_array_equal(crop_resize(frames, (30, 30)), np.full((2, 30, 30, 3), 200))
    assert (crop_resize(frames, (120, 120)) == 200).all()


def test_masks_stay_masks():
    masks = np.zeros((1, 64, 64), bool)
    masks[:, :, :33] = True
    small = crop_resize(masks, (16, 16))
    assert small.dtype == bool
    assert small[:, :, :8].all() and not small[:, :, 8:].any()
