"""The view follows the mask, and measures mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.base import PairFrames
from filters.encoder.views import LEAST_VIEW, view_boxes
from filters.features import PIXEL_MEASURES, describe
from filters.features.artefacts import artefact_measures
from filters.features.pixels import measure


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), min_size=2, max_size=6),
    st.integers(1, 20),
)
def test_view_boxes_hold_the_mask_in_one_size_within_the_frame(corners, side):
    mask = np.zeros((len(corners), 60, 80), bool)
    for t, (y, x) in enumerate(corners[:-1]):  # the last frame has lost the object
        mask[t, y : y + side, x : x + side] = True
    boxes = view_boxes(mask)
    sizes = boxes[:, 2:] - boxes[:, :2]
    assert np.allclose(sizes, sizes[0]) and (sizes >= LEAST_VIEW - 1e-9).all()
    assert (boxes >= -1e-9).all() and (boxes <= 1 + 1e-9).all()
    for t in range(len(corners) - 1):
        ys, xs = np.nonzero(mask[t])
        x0, y0, x1, y1 = boxes[t] * (80, 60, 80, 60)
        assert x0 <= xs.min() + 1e-6 and xs.max() + 1 <= x1 + 1e-6
        assert y0 <= ys.min() + 1e-6 and ys.max() + 1 <= y1 + 1e-6


def _measured(source, target, mask=None):
    values = measure(source, target, mask)
    return {name: values[..., i] for i, name in enumerate(PIXEL_MEASURES)}


def test_identical_sides_do_not_change(moving):
    m = _measured(moving, moving)
    assert not m["change"].any()
    assert m["shared_edges"].min() > 0.99
    assert np.array_equal(m["source_motion"], m["target_motion"])


def test_a_change_inside_the_mask_is_measured_inside(moving, box):
    target = moving.copy()
    target[box] = 255 - target[box]
    change = _measured(moving, target, box)["change"]
    assert change[:, 0].min() > 10 * change[:, 1].max()


def test_a_stopped_target_has_no_motion(moving):
    m = _measured(moving, np.repeat(moving[:1], len(moving), 0))
    assert not m["target_motion"].any() and m["source_motion"][1:].min() > 0.01


def test_half_an_edit_is_unfinished(moving, box):
    half, whole = moving.copy(), moving.copy()
    left = box.copy()
    left[:, :, 75:] = False
    half[left], whole[box] = 0, 0
    assert _measured(moving, half, box)["unfinished"][0, 0] < 0.25
    assert _measured(moving, whole, box)["unfinished"][0, 0] > 0.5


@pytest.mark.weights
def test_describing_a_batch_is_describing_one_by_one(encoder, moving, box):
    samples = [
        PairFrames("object_removal", moving, 255 - moving, box, made="target"),
        PairFrames("deblur", moving, moving[:, ::-1].copy(), made="source"),
        PairFrames("object_removal", moving, moving // 2, box, made="target"),
    ]
    together = describe(samples, encoder, workers=2)
    for sample, one in zip(samples, together, strict=True):
        (alone,) = describe([sample], encoder)
        assert np.array_equal(alone.target.levels, one.target.levels)
        assert np.array_equal(alone.source.embedding, one.source.embedding)
        assert np.array_equal(alone.measures.pixels, one.measures.pixels)
    assert together[0].source is together[2].source  # encoded once


@pytest.mark.weights
def test_sides_may_differ_in_size(encoder, moving, box):
    small = moving[:, ::2, ::2].copy()
    (found,) = describe([PairFrames("upscaling", small, moving, box, made="source")], encoder)
    assert found.source.levels.shape == found.target.levels.shape


def test_a_small_object_is_measured_among_many_pixels(moving):
    height, width = moving.shape[1:3]
    mask = np.zeros(moving.shape[:3], bool)
    mask[:, : height // 8, : width // 8] = True
    target = moving.copy()
    target[mask] = 255 - target[mask]
    large, large_mask = (np.repeat(np.repeat(a, 4, 1), 4, 2) for a in (target, mask))
    source = np.repeat(np.repeat(moving, 4, 1), 4, 2)
    names = list(PIXEL_MEASURES)
    fine = measure(source, large, large_mask)[:, 0, names.index("change")]
    plain = measure(moving, target, mask)[:, 0, names.index("change")]
    assert np.allclose(fine, plain, rtol=0.15)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("frames", [2, 3, 8, 9, 17])
def test_signs_of_a_short_clip_are_numbers(frames, moving, box):
    clip = np.resize(moving, (frames, *moving.shape[1:])).astype(np.float32) / 255
    found = artefact_measures(clip, 1 - clip, np.ones(clip.shape[:3], np.float32))
    assert np.isfinite(found).all()
