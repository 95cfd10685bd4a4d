"""What every provider of the slot `flow` must do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from experts.annotate.motion.flow import FlowEstimator
from experts.base import Model
from experts.providers import chosen, providers
from experts.providers.choice import choice_of

pytestmark = pytest.mark.weights

OPTIONS = {"raft": {"device": "cpu", "updates": 5}}
"""What makes a provider quick enough for a test."""

HEIGHT, WIDTH = 130, 170

REAR = 24
"""px: rims where what moves comes from outside the frame."""


@pytest.fixture(params=sorted(providers("flow")))
def estimator(request: pytest.FixtureRequest) -> FlowEstimator:
    choice = choice_of("flow", {"provider": request.param, **OPTIONS.get(request.param, {})})
    found: FlowEstimator = chosen(choice)
    return found


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    return cv2.GaussianBlur(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 2)


def moved(picture: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture after an affine motion, and the flow that takes it there."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    truth = np.stack([m[0] * x + m[1] * y + m[2] for m in matrix], axis=-1) - np.stack([x, y], -1)
    return cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT), truth


def error(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean end-point error, px."""
    gap = np.linalg.norm(found - truth, axis=-1)
    return float(gap[REAR:-REAR, REAR:-REAR].mean())


def test_a_shift_is_found(estimator: FlowEstimator, picture: np.ndarray) -> None:
    after, truth = moved(picture, np.array([[1, 0, 6], [0, 1, 0]], np.float64))
    before = picture.copy()
    found = estimator.flow(picture, after)
    assert found.shape == (HEIGHT, WIDTH, 2) and found.dtype == np.float32
    assert np.median(found.reshape(-1, 2), axis=0) == pytest.approx([6, 0], abs=0.1)
    assert error(found, truth) < 0.25
    assert np.array_equal(picture, before)


def test_a_turn_and_zoom_is_found(estimator: FlowEstimator, picture: np.ndarray) -> None:
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 3, 1.03)
    matrix[:, 2] += 4, -2
    after, truth = moved(picture, matrix)
    found = estimator.flow(picture, after)
    assert error(found, truth) < 0.4
    assert error(estimator.flow(after, picture), -truth) < 0.8  # to first order


def test_pairs_are_done_together(estimator: FlowEstimator, picture: np.ndarray) -> None:
    steps = [moved(picture, np.array([[1, 0, dx], [0, 1, 1]], np.float64))[0] for dx in range(3)]
    pairs = [(picture, after) for after in steps]
    together = estimator.flows(pairs)
    assert len(together) == 3
    for (a, b), found in zip(pairs, together, strict=True):
        assert np.allclose(found, estimator.flow(a, b), atol=0.02)
    assert estimator.flows([]) == []


def test_any_size_and_grey_frames(estimator: FlowEstimator, picture: np.ndarray) -> None:
    after = moved(picture, np.array([[1, 0, 2], [0, 1, 0]], np.float64))[0]
    for height, width in ((20, 33), (129, 77)):
        small = estimator.flow(picture[:height, :width], after[:height, :width])
        assert small.shape == (height, width, 2) and np.isfinite(small).all()
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (picture, after)]
    found = estimator.flow(grey[0], grey[1])
    assert np.median(found.reshape(-1, 2), axis=0) == pytest.approx([2, 0], abs=0.2)
    with pytest.raises(ValueError, match="one size"):
        estimator.flow(picture, after[:-8])


def test_the_same_again_after_closing_and_in_threads(
    estimator: FlowEstimator, picture: np.ndarray
) -> None:
    assert isinstance(estimator, Model) and estimator.version
    estimator.load()
    estimator.load()
    after = moved(picture, np.array([[1, 0, 3], [0, 1, -2]], np.float64))[0]
    first = estimator.flow(picture, after).tobytes()
    assert estimator.flow(picture, after).tobytes() == first
    with ThreadPoolExecutor(2) as pool:
        swapped = pool.submit(estimator.flow, after, picture)
        again = pool.submit(estimator.flow, picture, after)
        assert again.result().tobytes() == first != swapped.result().tobytes()
    estimator.close()
    assert estimator.flow(picture, after).tobytes() == first


def test_what_steers_a_result_is_in_the_version() -> None:
    def version(**options: object) -> str:
        return str(chosen(choice_of("flow", options)).version)

    assert version(provider="dis") != version(provider="dis", preset="fast")
    assert version(provider="raft") != version(provider="raft", updates=6)
    with pytest.raises(ValueError, match="preset"):
        choice_of("flow", {"provider": "dis", "preset": "wrong"})
