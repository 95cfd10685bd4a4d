"""Masks as bits, and tracks that are one object."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from experts.annotate.tracking.predictors.duplicates import without_duplicates
from experts.annotate.tracking.predictors.packed import PackedMasks
from experts.annotate.tracking.results import GrowingTrack
from experts.annotate.tracking.settings import TrackLimits


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(lambda size: arrays(np.bool_, size))
)
def test_a_mask_comes_back_as_it_was(mask: np.ndarray) -> None:
    packed = PackedMasks(*mask.shape)
    packed[7] = mask
    assert packed[7].dtype == bool
    np.testing.assert_array_equal(packed[7], mask)


def test_it_is_a_mapping_by_frame() -> None:
    packed = PackedMasks(4, 6)
    packed[3] = np.ones((4, 6), bool)
    packed[1] = np.zeros((4, 6), bool)
    packed[3][:] = False  # a copy
    assert (list(packed), len(packed), packed[3].all()) == ([3, 1], 2, True)
    del packed[3]
    assert 3 not in packed
    with pytest.raises(KeyError):
        packed[3]


def test_only_the_box_is_kept() -> None:
    packed = PackedMasks(720, 1280)
    mask = np.zeros((720, 1280), bool)
    mask[100:180, 200:300] = True
    packed[0] = mask
    assert packed.nbytes == 80 * 100 // 8


def track(score: float, left: int, frames: range, sure: float = 0.9) -> GrowingTrack:
    mask = np.zeros((20, 60), bool)
    mask[5:15, left : left + 10] = True
    made = GrowingTrack("thing", score, mask, sure)
    for frame in frames:
        made.put(frame, mask, sure)
    return made


def test_of_two_tracks_on_one_object_the_surer_is_kept() -> None:
    lesser, better, other = (
        track(0.5, 10, range(10)),
        track(0.8, 11, range(20)),
        track(0.4, 40, range(10)),
    )
    assert without_duplicates([lesser, better, other], TrackLimits()) == [better, other]


def test_two_that_met_for_a_moment_are_two() -> None:
    passing = track(0.5, 30, range(10))
    passing.put(10, track(0.8, 10, range(1)).mask, 0.9)
    standing = track(0.8, 10, range(20))
    assert without_duplicates([passing, standing], TrackLimits()) == [passing, standing]
