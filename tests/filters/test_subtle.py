"""Edits nobody would see are dropped, seen ones are kept."""

from __future__ import annotations

import numpy as np
import pytest

from filters.base import PairFrames
from filters.subtle import COARSE_SIDE, SubtleFilter, visible


@pytest.mark.parametrize("levels", [0, 19, 20, 60])
def test_a_change_is_seen_from_20_levels_on(levels):
    source = np.full((17, COARSE_SIDE, COARSE_SIDE, 3), 100, np.uint8)
    assert visible(source, source + np.uint8(levels), None) == (levels >= 20)


def test_fine_noise_is_not_seen_and_a_small_block_is():
    rng = np.random.default_rng(0)
    source = np.full((17, 256, 256, 3), 100, np.uint8)
    noisy = np.clip(source + rng.normal(0, 12, source.shape), 0, 255).astype(np.uint8)
    assert not visible(source, noisy, None)
    block = source.copy()
    block[:, 100:124, 60:84] += 40  # 0.9 % of the picture
    assert visible(source, block, None)


def test_a_change_beside_the_mask_is_not_seen():
    source = np.full((2, 128, 128, 3), 100, np.uint8)
    target = source.copy()
    target[:, :64] = 200
    mask = np.zeros((2, 128, 128), bool)
    mask[:, 90, 90] = True  # thinner than a cell, and still looked at
    assert not visible(source, target, mask)
    assert visible(source, target, np.roll(mask, -60, axis=1))


def test_sides_of_different_size_are_compared():
    source = np.full((2, 64, 96, 3), 100, np.uint8)
    target = np.full((2, 128, 192, 3), 100, np.uint8)
    assert not visible(source, target, None)


@pytest.mark.weights
def test_an_identical_pair_is_dropped(encoder, footage):
    for frames in footage.values():
        (verdict,) = SubtleFilter(encoder).judge(
            [PairFrames("object_removal", frames, frames.copy(), made="target")]
        )
        assert not verdict.keep and verdict.reason == "subtle"
        assert verdict.score == pytest.approx(1, abs=1e-5)


@pytest.mark.weights
def test_the_same_footage_encoded_again_is_dropped(encoder, footage):
    from filters.quality.training.training_set import encoded

    for frames in footage.values():
        (verdict,) = SubtleFilter(encoder).judge(
            [PairFrames("global_style_transfer", frames, encoded(frames), made="target")]
        )
        assert not verdict.keep and verdict.reason == "subtle"


@pytest.mark.weights
def test_a_strong_edit_of_a_small_object_is_kept(encoder, footage):
    frames = footage["clip_city"]
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, 60:90, 100:140] = True
    target = frames.copy()
    target[mask] = footage["clip_bikes"][:, :30, :40].reshape(-1, 3)
    local, blind = (
        SubtleFilter(encoder).judge(
            [PairFrames("object_removal", frames, target, m, made="target")]
        )[0]
        for m in (mask, None)
    )
    assert local.keep and local.reason == ""
    assert local.score < blind.score  # the whole frame hardly moves


@pytest.mark.weights
@pytest.mark.parametrize("task", ["deblur", "colorization", "inpainting", "hed_detection"])
def test_what_follows_by_arithmetic_is_not_measured(encoder, moving, task):
    (verdict,) = SubtleFilter(encoder).judge([PairFrames(task, moving, moving, made="source")])
    assert verdict.keep and verdict.score is None and verdict.reason == "not_measured"


@pytest.mark.weights
def test_clips_threshold_is_not_the_embedded_encoders(encoder):
    assert SubtleFilter(encoder).threshold == 0.955
    assert SubtleFilter(encoder, 0.9).threshold == 0.9
