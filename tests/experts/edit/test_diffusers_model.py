"""Sizes at which a pipeline works, and back."""

from __future__ import annotations

import numpy as np
import pytest

from experts.edit.diffusers_model import resized, resized_masks, working_size


@pytest.mark.parametrize(
    ("given", "multiple", "most", "least", "size"),
    [
        ((336, 592), 16, 480 * 832, 1, (336, 592)),
        ((592, 336), 16, 480 * 832, 1, (592, 336)),
        ((340, 600), 16, 480 * 832, 1, (336, 608)),
        ((1280, 1984), 16, 480 * 832, 1, (512, 768)),
        ((1080, 1920), 16, 1024 * 1024, 1, (768, 1360)),
        ((5, 7), 16, 480 * 832, 1, (16, 16)),
        ((5, 7), 16, 10, 1, (16, 16)),
        ((48, 64), 4, 1024 * 1024, 64, (64, 84)),
    ],
)
def test_working_size(
    given: tuple[int, int], multiple: int, most: int, least: int, size: tuple[int, int]
) -> None:
    found = working_size(*given, multiple, most, least)
    assert found == size
    assert found[0] * found[1] <= most or found == (multiple, multiple)


def test_places_keep_their_share_of_the_picture() -> None:
    frames = np.zeros((1, 100, 200, 3), np.uint8)
    frames[:, 50:, 100:] = 255
    there = resized(frames, (64, 96))
    assert there.shape == (1, 64, 96, 3) and there[0, 40, 60].all() and not there[0, 20, 60].any()
    back = resized(there, (100, 200))
    assert back[0, 60, 120, 0] > 250 and back[0, 40, 80, 0] < 5
    assert resized(frames, (100, 200)) is frames


def test_a_thin_mask_stays() -> None:
    masks = np.zeros((1, 100, 200), bool)
    masks[0, 50, 20:180] = True
    small = resized_masks(masks, (16, 32))
    assert small.dtype == bool and small[0].any(axis=0).sum() >= 25
