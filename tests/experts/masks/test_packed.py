"""Masks as compressed bits: what was put in comes out, alone and joined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from experts.masks.packed import MaskTrack, PackedMasks, Union


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
    assert packed.nbytes <= 80 * 100 // 8
    assert packed.area(0) == 80 * 100


tracks = st.tuples(st.integers(1, 5), st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda shape: st.lists(arrays(np.bool_, shape), min_size=1, max_size=3)
)


@given(tracks)
def test_tracks_and_their_union_are_the_masks_they_were_made_of(masks: list[np.ndarray]) -> None:
    made = [MaskTrack(each, each.shape[1:]) for each in masks]
    for track, each in zip(made, masks, strict=True):
        assert (track.shape, len(track)) == (each.shape, len(each))
        np.testing.assert_array_equal(np.asarray(track), each)
        np.testing.assert_array_equal(np.asarray(track[1:]), each[1:])
        np.testing.assert_array_equal(track.areas, each.sum(axis=(1, 2)))
    union = Union(made)
    np.testing.assert_array_equal(np.stack(union), np.any(masks, axis=0))
    assert union.pixels == masks[0].size


def test_a_mask_of_a_track_is_a_copy_and_there_is_none_behind_the_last() -> None:
    track = MaskTrack(np.zeros((2, 4, 6), bool), (4, 6))
    track[0][:] = True
    assert not track[0].any()
    with pytest.raises(IndexError):
        track[2]
    with pytest.raises(IndexError):
        Union([track])[2]
