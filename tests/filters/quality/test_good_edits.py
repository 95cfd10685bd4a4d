"""Good pairs look like real ones: masks with an object's size and outline that move as it does."""

from __future__ import annotations

import numpy as np
import pytest

from filters.quality.training.removals import Composites, in_place_of
from filters.quality.training.synthetic_masks import AREAS, object_masks, translated_masks

FRAMES = 17


@pytest.fixture(scope="module")
def panning():
    """[17, 120, 200, 3]: smooth noise that moves 2 px to the left with every frame."""
    import cv2

    coarse = np.random.default_rng(0).integers(0, 256, (15, 30, 3)).astype(np.uint8)
    wide = cv2.resize(coarse, (240, 120), interpolation=cv2.INTER_CUBIC)
    return np.stack([wide[:, 2 * t : 2 * t + 200] for t in range(FRAMES)])


@pytest.mark.parametrize("seed", range(6))
def test_masks_have_an_objects_size_in_every_frame(seed, panning):
    masks = object_masks(panning, np.random.default_rng(seed))
    assert masks.shape == panning.shape[:3] and masks.dtype == bool
    assert masks.any(axis=(1, 2)).all()
    assert 0.5 * AREAS[0] < masks[0].mean() < 1.5 * AREAS[1]


def test_masks_follow_the_footage(panning):
    static = np.repeat(panning[:1], FRAMES, 0)
    shifts, places = [], []
    for seed in range(6):
        for frames, into in ((panning, shifts), (static, places)):
            xs = [
                np.nonzero(m)[1].mean() for m in object_masks(frames, np.random.default_rng(seed))
            ]
            into.append(xs[-1] - xs[0])
    assert np.median(shifts) < -15  # 32 px in all; some leave the picture
    assert np.abs(places).max() < 1


def test_same_seed_same_masks(panning):
    once, again = (object_masks(panning, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(once, again)


def test_a_pasted_object_is_static_or_drifts_and_is_never_lost():
    mask = np.zeros((60, 80), bool)
    mask[20:40, 30:50] = True
    moved = 0
    for seed in range(20):
        masks = translated_masks(mask, FRAMES, np.random.default_rng(seed))
        assert masks.any(axis=(1, 2)).all() and np.array_equal(masks[0], mask)
        moved += not np.array_equal(masks[-1], mask)
    assert 10 < moved < 20  # a quarter stands still


@pytest.mark.parametrize("seed", range(6))
def test_another_object_stands_where_the_first_one_does_and_sways(seed):
    rng = np.random.default_rng(seed)
    first, outline = np.zeros((2, 120, 200), bool)
    first[40:90, 60:85] = True
    outline[10:40, 100:130] = np.tri(30, dtype=bool)
    masks = translated_masks(first, FRAMES, rng, fastest=0.01, static=0)
    others = in_place_of(masks, outline, rng)
    for mask, other in zip(masks, others, strict=True):
        ours, theirs = np.argwhere(mask), np.argwhere(other)
        assert abs(ours.max(0)[0] - theirs.max(0)[0]) <= 1  # foot on foot
        assert abs(ours.mean(0)[1] - theirs.mean(0)[1]) < 20
        height, width = (np.ptp(theirs, axis=0) + 1) / (np.ptp(ours, axis=0) + 1)
        assert 0.8 < height < 1.2 and 0.6 < width < 1.4
    at_rest = [
        np.roll(o, -(m.argmax() - masks[0].argmax())) for o, m in zip(others, masks, strict=True)
    ]
    assert any(not np.array_equal(at_rest[0], later) for later in at_rest[1:])


@pytest.mark.parametrize("seed", range(6))
def test_a_swap_shows_what_is_behind_both_objects(seed, panning):
    pair = Composites().swap(panning, np.random.default_rng(seed))
    real, made = pair.sides
    assert made is pair.source and pair.mask is not None
    outside = ~pair.mask
    np.testing.assert_array_equal(made[outside], panning[outside])
    np.testing.assert_array_equal(real[outside], panning[outside])
    first, other = ((np.abs(side.astype(int) - panning) > 20).any(-1) for side in (real, made))
    assert first.any() and other.any()
    assert (first ^ other).any()  # another outline
