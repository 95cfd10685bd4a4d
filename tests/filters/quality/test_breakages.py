"""Each breakage shows, and changes only what it names."""

from __future__ import annotations

import numpy as np
import pytest

from filters.quality.training.breakages import (
    BREAKAGES,
    flicker,
    frozen,
    ghosting,
    half_done,
    wrong_mask,
)

STRENGTHS = (0.0, 0.5, 1.0)


def _edit(moving, box):
    target = moving.copy()
    target[box] = 255 - target[box][:, ::-1] // 2
    return target


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("kind", BREAKAGES)
def test_shows_and_leaves_its_input_alone(kind, masked, moving, box):
    whole = np.ones_like(box)
    target = _edit(moving, box if masked else whole)
    mask = box if masked else None
    for seed, strength in enumerate(STRENGTHS):
        before = target.copy(), moving.copy()
        broken = BREAKAGES[kind](moving, target, mask, np.random.default_rng(seed), strength)
        assert broken.shape == target.shape and broken.dtype == np.uint8
        assert np.array_equal(target, before[0]) and np.array_equal(moving, before[1])
        change = np.abs(broken.astype(int) - target).mean(-1)
        regions = box if masked else whole
        worst = max(c[m].mean() for c, m in zip(change, regions, strict=True))
        assert worst > 4, (kind, strength, worst)


@pytest.mark.parametrize(
    "kind", [k for k in BREAKAGES if k not in ("wrong_mask", "frozen", "untouched")]
)
def test_outside_the_mask_nothing_changes(kind, moving, box):
    target = _edit(moving, box)
    for seed in range(4):
        broken = BREAKAGES[kind](moving, target, box, np.random.default_rng(seed), 1.0)
        assert np.array_equal(broken[~box], target[~box])


@pytest.mark.parametrize("kind", BREAKAGES)
def test_same_seed_same_bytes(kind, moving, box):
    target = _edit(moving, box)
    once, again = (
        BREAKAGES[kind](moving, target, box, np.random.default_rng(5), 0.5) for _ in range(2)
    )
    assert np.array_equal(once, again)


def test_wrong_mask_leaves_the_place_untouched_and_edits_another(moving, box):
    target = _edit(moving, box)
    broken = wrong_mask(moving, target, box, np.random.default_rng(0), 1.0)
    assert (broken[~box] != moving[~box]).any()
    restored = (broken == moving).all(-1)[box].mean()
    assert restored > 0.25


def test_frozen_repeats_its_frames(moving):
    distinct = set()
    for seed in range(8):
        broken = frozen(moving, moving, None, np.random.default_rng(seed), 1.0)
        assert (broken[0] == moving[0]).all()
        distinct.add(len({frame.tobytes() for frame in broken}))
    assert min(distinct) == 1 and 1 < max(distinct) < len(moving) / 2  # from the start, or in jumps


def test_a_frozen_region_leaves_its_surroundings_alone_but_for_whole_frames(moving, box):
    whole = 0
    for seed in range(20):
        broken = frozen(moving, moving, box, np.random.default_rng(seed), 1.0)
        whole += bool((broken[~box] != moving[~box]).any())
    assert 0 < whole < 10


def test_half_done_is_source_where_undone_and_target_elsewhere(moving):
    target = 255 - moving
    for seed in range(6):
        broken = half_done(moving, target, None, np.random.default_rng(seed), 0.5)
        undone = (broken == moving).all(-1)
        assert np.array_equal(broken[~undone], target[~undone])
        assert 0.3 < undone.mean() < 0.7


def test_flicker_jumps_between_neighbours(moving):
    still = np.repeat(moving[:1], len(moving), 0)
    for seed in range(6):
        broken = flicker(still // 3, still, None, np.random.default_rng(seed), 0.0)
        levels = broken.mean(axis=(1, 2, 3))
        assert np.abs(np.diff(levels)).max() > 4


def test_a_ghost_in_place_is_made_only_where_the_sides_differ_in_structure(moving, box):
    """Elsewhere it would be a weaker edit, not a failed one."""
    dimmed = np.where(box[..., None], moving // 2, moving).astype(np.uint8)
    rolled = np.where(box[..., None], moving[:, ::-1], moving).astype(np.uint8)

    def in_place(target):
        found = []
        for seed in range(12):
            ghost = ghosting(moving, target, box, np.random.default_rng(seed), 0.5)
            low, high = np.minimum(moving, target), np.maximum(moving, target)
            found.append(bool(((ghost >= low) & (ghost <= high)).all()))
        return found

    assert not any(in_place(dimmed))
    assert 0 < sum(in_place(rolled)) < 12
