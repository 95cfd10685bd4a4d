"""Fidelity outside the mask, against cases worked out by hand."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from filters.metrics import mean
from filters.metrics.outside import MOST, l1, mse, psnr, ssim

RNG = np.random.default_rng(0)


def noise(frames: int = 2, height: int = 48, width: int = 64) -> np.ndarray:
    return RNG.integers(0, 200, (frames, height, width, 3), dtype=np.uint8)


def box(frames: int = 2, height: int = 48, width: int = 64) -> np.ndarray:
    """The left half."""
    masks = np.zeros((frames, height, width), bool)
    masks[:, :, : width // 2] = True
    return masks


def test_a_constant_shift_has_its_square_as_mse() -> None:
    source = noise()
    target = source + np.uint8(10)
    assert mse(source, target) == pytest.approx([100, 100])
    assert l1(source, target) == pytest.approx([10, 10])
    assert psnr(source, target) == pytest.approx([28.1308, 28.1308], abs=1e-4)  # 10 lg 650.25


def test_only_what_is_outside_the_mask_counts() -> None:
    source = noise()
    target = source + np.uint8(4)
    target[:, :, :32] = 255 - target[:, :, :32]
    assert mse(source, target, box()) == pytest.approx([16, 16])
    assert l1(source, target, box()) == pytest.approx([4, 4])
    assert mse(source, target).min() > 1000
    one = source.copy()
    one[0, 40, 40, 2] += 48  # one channel of one of 48·32 pixels outside
    assert mse(source, one, box()) == pytest.approx([48**2 / (3 * 48 * 32), 0])
    assert l1(source, one, box()) == pytest.approx([48 / (3 * 48 * 32), 0])


def test_equal_frames_are_as_good_as_it_gets() -> None:
    source = noise()
    assert (mse(source, source) == 0).all() and (l1(source, source) == 0).all()
    assert psnr(source, source) == pytest.approx([MOST, MOST])
    assert ssim(source, source) == pytest.approx([1, 1])
    edited = source.copy()
    edited[:, :, :32] = 0
    assert ssim(source, edited, box()) == pytest.approx([1, 1])  # not even at the mask's edge
    assert ssim(source, edited).max() < 0.7


def test_ssim_of_flat_frames_is_the_luminance_term() -> None:
    source, target = (np.full((1, 32, 32, 3), level, np.uint8) for level in (100, 120))
    c1 = (0.01 * 255) ** 2
    by_hand = (2 * 100 * 120 + c1) / (100**2 + 120**2 + c1)
    assert ssim(source, target) == pytest.approx([by_hand], abs=1e-5)


def test_ssim_without_a_mask_is_the_librarys() -> None:
    source, target = noise(1), noise(1)
    library = structural_similarity(
        source[0], target[0], data_range=255, channel_axis=-1, gaussian_weights=True,
        sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert ssim(source, target) == pytest.approx([library], abs=1e-6)
    assert ssim(source, target, np.zeros((1, 48, 64), bool)) == pytest.approx([library], abs=1e-6)


def test_a_frame_that_is_all_edit_has_no_outside() -> None:
    source, masks = noise(), box()
    target = source + np.uint8(3)
    masks[0] = True
    for measure, expected in ((mse, 9), (l1, 3)):
        values = measure(source, target, masks)
        assert np.isnan(values[0]) and values[1] == pytest.approx(expected)
        assert mean(values) == pytest.approx(expected)
    assert np.isnan(ssim(source, target, masks)[0]) and np.isnan(psnr(source, target, masks)[0])
    masks[:] = True
    assert mean(mse(source, target, masks)) is None
    assert mean(np.zeros(0)) is None


def test_pieces_of_a_clip_are_the_clip() -> None:
    source, target, masks = noise(5), noise(5), box(5)
    for measure in (mse, psnr, l1, ssim):
        whole = measure(source, target, masks)
        pieces = [measure(source[s], target[s], masks[s]) for s in (slice(2), slice(2, 5))]
        assert np.concatenate(pieces) == pytest.approx(whole)


def test_sides_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        mse(noise(), noise(3))
