from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import torch

from catalog.media import read_video
from experts.annotate.maps import hed_int8
from experts.annotate.maps.edges import HED_LONG_SIDE, Hed, canny
from experts.annotate.maps.hed_network import copy_keras, less_mean
from experts.weights import fetch


@pytest.fixture(scope="module")
def hed() -> Hed:
    hed = Hed()
    hed.load()
    return hed


def square(size: int = 160, low: int = 60, high: int = 190) -> np.ndarray:
    """A light square on dark ground, its sides at 40 and `size` - 40."""
    frame = np.full((size, size, 3), low, np.uint8)
    frame[40:-40, 40:-40] = high
    return frame


def test_canny_draws_the_square_and_nothing_else() -> None:
    (edges,) = canny(square()[None])
    assert edges.dtype == np.uint8
    assert set(np.unique(edges)) == {0, 255}
    near = np.zeros((160, 160), bool)
    near[38:-38, 38:-38] = True
    near[42:-42, 42:-42] = False
    assert not edges[~near].any()
    assert (edges[80] > 0).sum() == 2  # left and right side


def test_canny_ignores_noise_and_sees_each_frame_by_itself() -> None:
    noise = np.random.default_rng(0).normal(127, 4, (64, 64, 3)).clip(0, 255).astype(np.uint8)
    edges = canny(np.stack([noise, square(64 + 80)[40:-40, 40:-40], noise]))
    assert edges.shape == (3, 64, 64)
    assert not edges.any()
    mixed = canny(np.stack([square(), np.zeros_like(square()), square()]))
    assert not mixed[1].any()
    assert np.array_equal(mixed[0], mixed[2])
    assert mixed[0].any()


def test_a_keras_kernel_keeps_its_rows_and_columns(tmp_path: Path) -> None:
    kernel = np.zeros((3, 3, 2, 1), np.float32)
    kernel[1, 2, 1, 0] = 5  # row 1, column 2: the right-hand neighbour, in the second channel
    with h5py.File(tmp_path / "one.h5", "w") as file:
        file["vars/0"], file["vars/1"] = kernel, np.array([0.5], np.float32)
        convolution = torch.nn.Conv2d(2, 1, 3, padding=1)
        copy_keras(file["vars"], convolution)
    image = torch.zeros(1, 2, 4, 4)
    image[0, 1, 2, 3] = 1
    answer = convolution(image)[0, 0] - 0.5
    assert answer.nonzero().tolist() == [[2, 2]]
    assert answer[2, 2].item() == pytest.approx(5)


def test_the_network_sees_no_mean() -> None:
    blue, green, red = less_mean(torch.full((1, 3, 2, 2), 30, dtype=torch.uint8))[0, :, 1, 1]
    assert blue.item() == pytest.approx(30 - 104.00699, abs=1e-4)
    assert green.item() == pytest.approx(30 - 116.66877, abs=1e-4)
    assert red.item() == pytest.approx(30 - 122.67892, abs=1e-4)


@pytest.mark.parametrize("size", [(6, 8), (7, 8), (5, 9), (1, 1)])
def test_bytes_are_pooled_as_torch_pools_floats(size: tuple[int, int]) -> None:
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, *size), np.uint8))
    expected = torch.nn.functional.max_pool2d(x.float(), 2, ceil_mode=True)
    assert torch.equal(hed_int8._pooled(x).float(), expected)


@pytest.mark.weights
def test_hed_is_strong_on_the_outline_and_weak_elsewhere(hed: Hed) -> None:
    (edges,) = hed.hed(square()[None])
    assert edges.shape == (160, 160)
    assert edges.dtype == np.uint8
    outline = np.concatenate([edges[80, 38:43], edges[80, -43:-38]])
    assert outline.max() > 150
    assert edges[70:90, 70:90].max() < 60  # inside
    assert edges[5:15, 5:155].max() < 60  # outside


@pytest.mark.weights
def test_hed_prefers_objects_to_texture(hed: Hed) -> None:
    # What sets HED apart from a gradient: in the city frame the street's crazy paving and the
    # rough wall are full of gradients, the car's outline is what a person would draw.
    frames = read_video(fetch("clip_city"), 40, 1)
    height, width = frames.shape[1:3]
    (edges,) = hed.hed(frames)
    luma = cv2.cvtColor(frames[0], cv2.COLOR_RGB2GRAY).astype(np.float32)
    slope = np.hypot(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1))
    wall = np.s_[int(0.18 * height) : int(0.3 * height), int(0.9 * width) :]
    car = np.s_[int(0.56 * height) : int(0.92 * height), int(0.55 * width) : int(0.8 * width)]
    assert edges[wall].mean() / edges[car].mean() < 0.6 * slope[wall].mean() / slope[car].mean()


@pytest.mark.weights
def test_hed_comes_back_at_the_frames_size(hed: Hed) -> None:
    wide = cv2.resize(square(), (2 * HED_LONG_SIDE, HED_LONG_SIDE))
    assert hed.hed(wide[None]).shape == (1, HED_LONG_SIDE, 2 * HED_LONG_SIDE)
    odd = square()[:131, :77]  # no multiple of the four poolings
    assert hed.hed(odd[None]).shape == (1, 131, 77)
    assert hed.hed(np.zeros((0, 40, 40, 3), np.uint8)).shape == (0, 40, 40)


@pytest.mark.weights
def test_hed_gives_the_same_bytes_each_time_and_nearly_so_alone(hed: Hed) -> None:
    frames = read_video(fetch("clip_bikes"), 0, 5, stride=20, size=(96, 224))
    together = hed._computed(frames)
    assert np.array_equal(hed._computed(frames), together)
    # A frame alone is calibrated on itself: other ranges, other rounding.
    alone = np.concatenate([hed._computed(frame[None]) for frame in frames])
    assert np.abs(together.astype(int) - alone).mean() < 1


@pytest.mark.weights
@pytest.mark.skipif(not hed_int8.supported(), reason="the CPU has no AVX-512 VNNI")
def test_hed_in_bytes_is_hed_in_floats(hed: Hed, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = read_video(fetch("clip_pedestrians"), 0, 4, stride=9, size=(168, 224))
    frames = np.concatenate([frames, np.zeros_like(frames[:1])])  # and black
    quick = hed._computed(frames)
    monkeypatch.setattr(hed_int8, "supported", lambda: False)
    exact = hed._computed(frames)
    assert exact.mean() > 20
    gap = np.abs(quick.astype(int) - exact)
    assert gap.mean() < 1
    assert gap.max() < 32


@pytest.mark.weights
def test_all_black_footage_has_the_same_edges_in_bytes(
    hed: Hed, monkeypatch: pytest.MonkeyPatch
) -> None:
    black = np.zeros((1, 64, 64, 3), np.uint8)
    quick = hed._computed(black)
    monkeypatch.setattr(hed_int8, "supported", lambda: False)
    assert np.abs(quick.astype(int) - hed._computed(black)).max() <= 4


@pytest.mark.weights
def test_a_map_is_computed_once_for_all_that_want_it(
    hed: Hed, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (2, 40, 56, 3), np.uint8)
    first = hed.hed(frames)
    other = Hed()
    monkeypatch.setattr(other, "_computed", lambda _: pytest.fail("computed again"))
    assert np.array_equal(other.hed(frames.copy()), first)
    changed = frames.copy()
    changed[1, 3, 5, 2] ^= 1
    with pytest.raises(pytest.fail.Exception):
        other.hed(changed)
