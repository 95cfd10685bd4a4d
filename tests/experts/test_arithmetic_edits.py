"""The edits that are arithmetic: what they promise, on small frames with known answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.base import EditRequest
from experts.edit.colorization import Greying
from experts.edit.deblur import Blurring, motion_kernel
from experts.edit.grounding import Grounding, palette
from experts.edit.inpainting import Inpainting, moving_hole
from experts.edit.outpainting import SIDES, Outpainting
from experts.edit.upscaling import Downscaling

SEEDS = st.integers(0, 2**31)


def noise(frames: int = 4, height: int = 96, width: int = 160) -> NDArray[np.uint8]:
    # From 1 up, so that black can only come from an edit.
    return np.random.default_rng(0).integers(1, 256, (frames, height, width, 3), np.uint8)


def test_grounding_gives_each_instance_one_colour_and_the_rest_black() -> None:
    frames = noise()
    left, right = np.zeros((2, *frames.shape[:3]), bool)
    left[:, 10:40, 10:40] = True
    right[:, 30:50, 30:90] = True  # overlaps; the smaller one lies on top
    result = Grounding().edit(
        EditRequest("object_grounding", frames, params={"instance_masks": [left, right]})
    )
    first, second = result.info["colours"]
    small_on_top, below = (left, right) if left.sum() < right.sum() else (right, left)
    top_colour, low_colour = (first, second) if small_on_top is left else (second, first)
    assert (result.frames[small_on_top] == top_colour).all()
    assert (result.frames[below & ~small_on_top] == low_colour).all()
    assert (result.frames[~(left | right)] == 0).all()


def test_grounding_takes_the_requests_masks_for_one_instance() -> None:
    frames = noise()
    mask = np.zeros(frames.shape[:3], bool)
    mask[1:, 5:20, 5:20] = True
    result = Grounding().edit(EditRequest("object_grounding", frames, mask, seed=3))
    assert (result.frames.any(axis=3) == mask).all()
    assert result.info["instances"] == 1


@pytest.mark.parametrize("mask", [None, np.zeros((4, 96, 160), bool)])
def test_grounding_without_an_object_is_refused(mask: NDArray[np.bool_] | None) -> None:
    with pytest.raises(BadInput) as error:
        Grounding().edit(EditRequest("object_grounding", noise(), mask))
    assert error.value.reason == "no_mask"


def test_grounding_refuses_masks_of_another_size() -> None:
    with pytest.raises(BadInput) as error:
        Grounding().edit(EditRequest("object_grounding", noise(), np.ones((4, 48, 80), bool)))
    assert error.value.reason == "mask_shape"


@given(st.integers(1, 60), SEEDS)
def test_palette_is_saturated_and_distinct(count: int, seed: int) -> None:
    colours = palette(count, np.random.default_rng(seed))
    assert len({tuple(c) for c in colours.tolist()}) == count
    assert (colours.max(axis=1) == 255).all() and (colours.min(axis=1) == 0).all()


@settings(max_examples=50)
@given(SEEDS, st.integers(2, 40))
def test_the_hole_moves_inside_the_frame_and_keeps_its_size(seed: int, frames: int) -> None:
    masks, info = moving_hole(frames, 96, 160, np.random.default_rng(seed))
    areas = masks.sum(axis=(1, 2))
    assert (areas == areas[0]).all()  # never cut off by the frame's edge
    assert 0.04 <= areas[0] / (96 * 160) <= 0.21
    travel = np.subtract(info["end"], info["start"])
    assert max(abs(travel[0]) / 96, abs(travel[1]) / 160) >= 0.2
    assert (masks[0] != masks[-1]).any()


def test_inpainting_blacks_out_the_hole_only() -> None:
    frames = noise()
    result = Inpainting().edit(EditRequest("inpainting", frames, seed=5))
    assert result.masks is not None
    assert (result.frames[result.masks] == 0).all()
    assert (result.frames[~result.masks] == frames[~result.masks]).all()


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_outpainting_blacks_out_the_told_border_in_every_frame(seed: int) -> None:
    frames = noise(2)
    result = Outpainting().edit(EditRequest("outpainting", frames, seed=seed))
    border = [result.info[side] for side in SIDES]
    assert any(border)
    top, bottom, left, right = border
    inner = result.frames[:, top : 96 - bottom, left : 160 - right]
    assert (inner == frames[:, top : 96 - bottom, left : 160 - right]).all()
    assert np.count_nonzero(result.frames) == inner.size
    assert result.masks is not None
    assert (result.masks == (result.frames == 0).all(axis=3)).all()


def test_colorization_source_is_grey_and_keeps_a_grey_video() -> None:
    made = Greying().edit(EditRequest("colorization", noise())).frames
    assert (made[..., 0] == made[..., 1]).all() and (made[..., 1] == made[..., 2]).all()
    grey = np.repeat(noise()[..., :1], 3, axis=3)
    assert (Greying().edit(EditRequest("colorization", grey)).frames == grey).all()


def test_pure_colours_keep_their_bt601_luma() -> None:
    frames = np.zeros((1, 2, 3, 3), np.uint8)
    frames[0, :, range(3), range(3)] = 255
    made = Greying().edit(EditRequest("colorization", frames)).frames
    assert made[0, 0, :, 0].tolist() == [76, 150, 29]


@given(st.floats(2, 40), st.floats(0, 180))
def test_motion_kernel_is_a_centred_stroke_along_its_angle(length: float, angle: float) -> None:
    kernel = motion_kernel(length, angle).astype(float)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]] - kernel.shape[0] // 2
    assert (kernel * x).sum() == pytest.approx(0, abs=1e-4)
    assert (kernel * y).sum() == pytest.approx(0, abs=1e-4)
    across = x * np.sin(np.radians(angle)) - y * np.cos(np.radians(angle))
    assert np.abs(across[kernel > 1e-6]).max() <= np.sqrt(2)
    along = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))
    # Variance of a uniform stroke, plus at most 1/4 px² each way from the bilinear spreading.
    assert length**2 / 12 <= (kernel * along**2).sum() <= (length**2 / 12) * 1.1 + 0.5


@pytest.mark.parametrize("seed", range(6))
def test_deblur_source_has_lost_its_detail_and_not_its_light(seed: int) -> None:
    frames = np.full((2, 336, 592, 3), 100, np.uint8)
    frames[:, ::8, ::8] = 200  # dots: a shake in any direction smears them
    result = Blurring().edit(EditRequest("deblur", frames, seed=seed))
    sharp, soft = frames[0].astype(float), result.frames.mean(axis=0)
    energy = [sum((np.diff(f, axis=a) ** 2).mean() for a in (0, 1)) for f in (sharp, soft)]
    assert energy[1] < 0.5 * energy[0]
    assert result.frames.mean() == pytest.approx(frames.mean(), abs=1.0)
    assert result.info["blur"] in ("gaussian", "motion")
    assert ("sigma" in result.info) == (result.info["blur"] == "gaussian")


def test_deblur_noise_has_the_told_strength() -> None:
    flat = np.full((3, 64, 64, 3), 128, np.uint8)
    result = Blurring().edit(EditRequest("deblur", flat, seed=2))
    expected = np.hypot(result.info["noise"], 1 / np.sqrt(12))  # and the rounding
    assert result.frames.std() == pytest.approx(expected, rel=0.05)
    assert (result.frames[0] != result.frames[1]).any()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("height", "width"), [(128, 192), (130, 182)])
def test_upscaling_source_is_the_true_small_size(seed: int, height: int, width: int) -> None:
    frames = noise(2, height, width)
    result = Downscaling().edit(EditRequest("upscaling", frames, seed=seed))
    small = result.frames
    factor = result.info["factor"]
    assert small.shape[1] % 2 == 0 and small.shape[2] % 2 == 0
    assert abs(small.shape[1] - height / factor) <= 1 and abs(small.shape[2] - width / factor) <= 1
    assert small.mean() == pytest.approx(frames.mean(), abs=1)
    if height % (2 * factor) == 0:  # whole blocks: area averaging is their mean
        h, w = small.shape[1:3]
        blocks = frames.reshape(2, h, factor, w, factor, 3).mean(axis=(2, 4))
        assert np.abs(small - blocks).max() <= 0.5001


def test_both_factors_occur() -> None:
    frames = noise(1, 128, 192)
    made = {
        Downscaling().edit(EditRequest("upscaling", frames, seed=s)).info["factor"]
        for s in range(10)
    }
    assert made == {2, 4}


def test_a_tiny_video_is_no_upscaling_target() -> None:
    with pytest.raises(BadInput) as error:
        Downscaling().edit(EditRequest("upscaling", noise(1, 40, 60)))
    assert error.value.reason == "too_small"
