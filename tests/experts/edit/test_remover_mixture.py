"""Which candidates the remover believes: what it hides on purpose, and what it learns from it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.stats import spearmanr

from experts.base import EditRequest, Frames, Masks
from experts.edit.remover import Remover
from experts.edit.remover.fills.candidates import StaticBackground
from experts.edit.remover.fills.gather import hole_and_ring
from experts.edit.remover.fills.stacked_fill import EXACT, decibels
from experts.edit.remover.held_out import held_out
from experts.edit.remover.stacking import ErrorGrid, GridSettings

SHAPE = (8, 96, 144)


def gliding(speed: int, left: int = 50) -> Masks:
    masks = np.zeros(SHAPE, bool)
    for t in range(len(masks)):
        masks[t, 30:60, left + speed * t : left + 24 + speed * t] = True
    return masks


def test_what_is_hidden_beside_has_the_holes_shape_and_path() -> None:
    holes = gliding(2)
    beside = held_out(holes, np.zeros(SHAPE, bool), 2)
    assert len(beside) == 2
    for copy in beside:
        assert not (copy & holes).any()
        shifts = [
            np.argwhere(c).min(0) - np.argwhere(h).min(0) for c, h in zip(copy, holes, strict=True)
        ]
        assert all((shift == shifts[0]).all() for shift in shifts)
        assert copy.sum() > 0.9 * holes.sum()
    assert not np.array_equal(*beside)


def test_unknown_places_are_not_taken_for_known() -> None:
    holes, unknown = gliding(2), np.zeros(SHAPE, bool)
    unknown[:, :, 80:] = True
    for copy in held_out(holes, unknown, 4):
        assert not (copy & unknown).any()


def test_a_hole_that_fills_the_picture_leaves_nothing_to_hide() -> None:
    assert held_out(np.ones(SHAPE, bool), np.zeros(SHAPE, bool), 2) == []


def learned(errors: np.ndarray, **settings: float) -> ErrorGrid:
    """Errors [C, N, 3] of points all over the left half of frame 2."""
    random = np.random.default_rng(1)
    grid = ErrorGrid(SHAPE, len(errors), GridSettings(**settings))  # type: ignore[arg-type]
    x, y = (random.uniform(0, n, errors.shape[1]).astype(np.float32) for n in (72, 96))
    grid.learn(2, x, y, errors, np.ones(errors.shape[:2], bool))
    return grid


def at(grid: ErrorGrid, *found: bool) -> tuple[np.ndarray, float]:
    here = np.array([30], np.float32)
    weights, error, _ = grid.mixture().at(2, here, here, np.array(found)[:, None])
    return weights[0], float(error[0])


def noise(*deviations: float) -> np.ndarray:
    random = np.random.default_rng(0)
    return np.stack([random.normal(0, d, (4000, 3)) for d in deviations]).astype(np.float32)


def test_weights_are_inverse_to_independent_errors() -> None:
    weights, error = at(learned(noise(6, 12)), True, True)
    expected = np.array([1 / 36, 1 / 144]) / (1 / 36 + 1 / 144)
    assert weights == pytest.approx(expected, abs=0.05)
    assert error == pytest.approx(1 / (1 / 36 + 1 / 144), rel=0.1)


def test_a_candidate_that_errs_like_a_better_one_gets_nothing() -> None:
    first = noise(6)
    weights, error = at(learned(np.concatenate([first, 3 * first])), True, True)
    assert weights == pytest.approx([1, 0], abs=1e-3)
    assert error == pytest.approx(36, rel=0.1)


def test_who_has_nothing_to_say_has_no_weight() -> None:
    grid = learned(noise(6, 12))
    weights, error = at(grid, False, True)
    assert weights.tolist() == [0, 1]
    assert error == pytest.approx(144, rel=0.1)


def test_where_nothing_was_learned_all_count_alike() -> None:
    weights, error = at(ErrorGrid(SHAPE, 4), True, True, True, True)
    assert weights == pytest.approx([0.25] * 4)
    assert error > 100


def test_weights_change_from_place_to_place_without_a_step() -> None:
    grid = ErrorGrid(SHAPE, 2, GridSettings(evidence=10.0))
    every = np.ones((2, 2000), bool)
    random = np.random.default_rng(2)
    for left, errors in ((0, noise(4, 20)), (72, noise(20, 4))):
        x = random.uniform(left, left + 72, 2000).astype(np.float32)
        y = random.uniform(0, 96, 2000).astype(np.float32)
        grid.learn(2, x, y, errors[:, :2000], every)
    across = np.arange(144, dtype=np.float32)
    weights, *_ = grid.mixture().at(
        2, across, np.full(144, 48, np.float32), np.ones((2, 144), bool)
    )
    assert weights[5, 0] > 0.8 and weights[-5, 1] > 0.8
    assert np.abs(np.diff(weights, axis=0)).max() < 0.05
    assert weights.sum(axis=1) == pytest.approx(np.ones(144))


def test_in_one_place_the_median_and_the_nearest_frames_count() -> None:
    values = np.array([10, 20, 90, 40, 50], np.uint8)
    frames = np.broadcast_to(values[:, None, None, None], (5, 40, 40, 3)).copy()
    hidden = np.zeros((5, 40, 40), bool)
    hidden[1:3, 18:22, 18:22] = True
    static = StaticBackground(frames, hidden, np.ones((40, 40), bool))
    pixels = hole_and_ring(hidden[1])
    median, nearest, seen = static.at(1, pixels)
    assert median[0].tolist() == [40] * 3  # of 10, 40, 50
    assert nearest[0] == pytest.approx([(10 * 2 + 40) / 3] * 3)  # one frame before, two after
    assert seen.all()


def street(kind: str, seed: int) -> tuple[Frames, Masks, Frames]:
    """A square glides over footage of a `kind`; frames, masks and truth."""
    random = np.random.default_rng(seed)
    count, height, width = 9, 120, 200
    grain = random.normal(size=(height, width + 80, 3)).astype(np.float32)
    ground = (
        128 + 180 * cv2.GaussianBlur(grain, (0, 0), 2) + 600 * cv2.GaussianBlur(grain, (0, 0), 9)
    )
    truth, masks = [], np.zeros((count, height, width), bool)
    for t in range(count):
        view = ground[:, :width].copy()
        if kind == "pan":
            view = ground[:, 3 * t : 3 * t + width].copy()
        if kind == "walker":  # who passes close behind the square
            at_x = 150 - 6 * t
            view[30:100, at_x : at_x + 24] = ground[20:90, 230:254] * 0.5
        if kind == "water":
            view += (
                60
                * cv2.GaussianBlur(random.normal(size=view.shape).astype(np.float32), (0, 0), 2)
                * 6
            )
        truth.append(np.clip(view, 0, 255).astype(np.uint8))
        masks[t, 40:80, 30 + 7 * t : 64 + 7 * t] = True
    frames = np.stack(truth)
    frames[masks] = (250, 20, 20)
    return frames, masks, np.stack(truth)


def test_the_expected_error_follows_the_true_one() -> None:
    expected, true = [], []
    for kind in ("still", "pan", "walker", "water"):
        frames, masks, truth = street(kind, seed=len(kind))
        result = Remover(threads=1).edit(EditRequest("object_removal", frames, masks))
        expected.append(result.info["fill_error"])
        off = result.frames[masks].astype(np.float64) - truth[masks]
        true.append(decibels(float(np.square(off).mean())))
    assert spearmanr(expected, true).statistic > 0.7
    assert np.abs(np.subtract(expected, true)).mean() < 6


def test_a_walker_behind_does_not_drag_the_fill_along() -> None:
    frames, masks, truth = street("walker", seed=3)
    made = Remover(threads=1).edit(EditRequest("object_removal", frames, masks)).frames
    median = np.ma.median(np.ma.array(frames, mask=np.repeat(masks[..., None], 3, -1)), axis=0)
    plain = np.broadcast_to(median.filled(128), frames.shape)

    def off(fill: np.ndarray) -> float:
        return float(np.square(fill[masks].astype(np.float64) - truth[masks]).mean())

    assert off(made) < 1.05 * off(plain)


def test_nothing_to_fill_is_expected_to_be_exact() -> None:
    frames, masks, _ = street("still", seed=0)
    result = Remover().edit(EditRequest("object_removal", frames, masks & False))
    assert result.info["fill_error"] == EXACT
