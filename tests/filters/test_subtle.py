"""Edits nobody would see are dropped, seen ones are kept."""

from __future__ import annotations

import numpy as np
import pytest

from filters.base import PairSample
from filters.subtle import THRESHOLDS, SubtleChange

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def mask(footage):
    shape = next(iter(footage.values())).shape[:3]
    small = np.zeros(shape, bool)
    small[:, 40:80, 90:140] = True
    return small


def test_an_identical_pair_is_dropped(encoder, footage):
    for frames in footage.values():
        (verdict,) = SubtleChange(encoder).judge(
            [PairSample("object_removal", frames, frames.copy())]
        )
        assert not verdict.keep and verdict.reason == "subtle"
        assert verdict.score == pytest.approx(1, abs=1e-5)


def test_the_same_footage_encoded_again_is_dropped(encoder, footage):
    from filters.training import encoded

    for frames in footage.values():
        (verdict,) = SubtleChange(encoder).judge(
            [PairSample("global_style_transfer", frames, encoded(frames))]
        )
        assert not verdict.keep


def test_a_strong_edit_of_a_small_object_is_kept(encoder, footage):
    frames = footage["clip_city"]
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, 60:90, 100:140] = True
    target = frames.copy()
    target[mask] = footage["clip_bikes"][:, :30, :40].reshape(-1, 3)
    local, blind = (
        SubtleChange(encoder).judge([PairSample("object_removal", frames, target, m)])[0]
        for m in (mask, None)
    )
    assert local.keep and local.reason == ""
    assert local.score < blind.score  # the whole frame hardly moves


def test_restoration_is_not_measured(encoder, moving):
    (verdict,) = SubtleChange(encoder).judge([PairSample("deblur", moving, moving)])
    assert verdict.keep and verdict.score is None and verdict.reason == "not_measured"


def test_clips_threshold_is_not_the_embedded_encoders(encoder):
    assert THRESHOLDS["clip"] == 0.95
    assert SubtleChange(encoder).threshold == THRESHOLDS[encoder.name] != 0.95
