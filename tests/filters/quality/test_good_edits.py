"""Good pairs look like real ones: masks with an object's size and outline that move as it does."""

from __future__ import annotations

import numpy as np
import pytest

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
