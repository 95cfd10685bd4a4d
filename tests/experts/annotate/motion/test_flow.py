from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from experts.annotate.motion.flow import consistent, flow, warp

MARGIN = 16  # px left out at the border, where a shifted frame has no counterpart


def texture(height: int, width: int, seed: int) -> np.ndarray:
    """Random colour blobs, about 4 px wide, over the full range."""
    noise = np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)
    blobs = cv2.GaussianBlur(noise, (0, 0), 2)
    low, high = blobs.min(), blobs.max()
    return np.round((blobs - low) / (high - low) * 255).astype(np.uint8)


def shifted(image: np.ndarray, dx: float, dy: float) -> np.ndarray:
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT)


@pytest.mark.parametrize(("dx", "dy"), [(0.0, 0.0), (0.5, -0.25), (3.4, -2.7), (-9.3, 6.0)])
def test_known_shift_is_found_to_a_tenth_of_a_pixel(dx: float, dy: float) -> None:
    a = texture(160, 240, seed=1)
    found = flow(a, shifted(a, dx, dy))
    assert found.shape == (160, 240, 2)
    assert found.dtype == np.float32
    inner = found[MARGIN:-MARGIN, MARGIN:-MARGIN]
    assert np.abs(np.median(inner, axis=(0, 1)) - (dx, dy)).max() < 0.1
    assert np.abs(inner - (dx, dy)).mean() < 0.15


def test_warp_brings_the_second_frame_onto_the_first() -> None:
    a = texture(120, 160, seed=2)
    b = shifted(a, 4.5, -3.0)
    inner = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    error = np.abs(warp(b, flow(a, b)).astype(int) - a)[inner].mean()
    assert error < 4
    assert error < np.abs(b.astype(int) - a)[inner].mean() / 4


def test_warp_samples_where_the_flow_points() -> None:
    ramp = np.tile(np.arange(20, dtype=np.float32), (10, 1))
    half = np.zeros((10, 20, 2), np.float32)
    half[..., 0] = 0.5
    assert np.allclose(warp(ramp, half)[:, :-1], ramp[:, :-1] + 0.5, atol=0.02)


def test_a_warped_mask_stays_a_mask_and_does_not_come_in_from_outside() -> None:
    mask = np.ones((10, 20), bool)
    right = np.zeros((10, 20, 2), np.float32)
    right[..., 0] = 5
    moved = warp(mask, right)
    assert moved.dtype == np.bool_
    assert moved[:, :15].all()
    assert not moved[:, 15:].any()


def test_occluded_background_is_inconsistent_and_the_rest_consistent() -> None:
    ground, square = texture(120, 160, seed=3), texture(40, 40, seed=4)
    a, b = ground.copy(), ground.copy()
    a[40:80, 40:80] = square
    b[40:80, 48:88] = square  # covers x 80–88 of the background
    trusted = consistent(flow(a, b), flow(b, a))
    assert trusted[44:76, 81:87].mean() < 0.3
    assert trusted[48:72, 48:72].mean() > 0.95
    assert trusted[:30, :].mean() > 0.95


def test_vectors_that_leave_the_frame_are_inconsistent() -> None:
    out = np.zeros((10, 20, 2), np.float32)
    out[..., 0] = 6
    trusted = consistent(out, -out)
    assert trusted[:, :14].all()
    assert not trusted[:, 14:].any()


@pytest.mark.parametrize(("height", "width"), [(8, 8), (17, 200), (33, 31)])
def test_tiny_frames_have_a_flow_too(height: int, width: int) -> None:
    a = texture(height, width, seed=5)
    found = flow(a, a)
    assert found.shape == (height, width, 2)
    assert np.abs(found).max() < 0.5


def test_threads_get_the_same_flow_as_one() -> None:
    a = texture(120, 160, seed=6)
    frames = [shifted(a, i, -i) for i in range(6)]
    alone = [flow(a, b) for b in frames]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda b: flow(a, b), frames))
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one, other)


def test_frames_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        flow(texture(40, 40, 7), texture(40, 48, 7))
