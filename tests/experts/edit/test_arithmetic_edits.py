"""The edits that are arithmetic: what they promise, on small frames with known answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.base import EditRequest
from experts.edit.degrade.upscaling import Downscaling
from experts.edit.holes.inpainting import Inpainting, moving_hole
from experts.edit.holes.outpainting import SIDES, Outpainting
from experts.edit.maps.grounding import Grounding, palette

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


def test_a_tiny_video_is_no_upscaling_target() -> None:
    with pytest.raises(BadInput) as error:
        Downscaling().edit(EditRequest("upscaling", noise(1, 40, 60)))
    assert error.value.reason == "too_small"
