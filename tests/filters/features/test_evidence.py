"""A fill is held against what other frames show of the place."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filters.features.evidence import FIGURES, _median, evidence

FRAMES, HEIGHT, WIDTH = 17, 100, 160
Planes = NDArray[np.float32]


def scene(pan: float) -> Planes:
    """A textured wall, seen by a camera that goes `pan` px to the right per frame; noisy."""
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.random((HEIGHT, WIDTH + 80), dtype=np.float32), (0, 0), 2)
    wide = (wide - wide.min()) / np.ptp(wide)
    frames = []
    for t in range(FRAMES):
        way = np.array([[1, 0, -pan * t], [0, 1, 0]], np.float32)
        frames.append(cv2.warpAffine(wide, way, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC))
    return np.clip(np.stack(frames) + rng.normal(0, 0.01, (FRAMES, 1, 1)), 0, 1).astype(np.float32)


def hole(speed: float) -> tuple[Planes, Planes]:
    """A square that moves `speed` px per frame, and a ring around it."""
    inside = np.zeros((FRAMES, HEIGHT, WIDTH), np.float32)
    for t in range(FRAMES):
        x = round(30 + speed * t)
        inside[t, 35:60, x : x + 22] = 1
    ring = np.stack([cv2.dilate(m, np.ones((21, 21), np.uint8)) for m in inside]) - inside
    return inside, ring


def figures(pan: float, speed: float, fill: Planes | None = None) -> list[float]:
    truth = scene(pan)
    inside, ring = hole(speed)
    real = np.where(inside > 0, np.float32(0.9), truth)
    made = truth if fill is None else np.where(inside > 0, fill, truth)
    return evidence(real, made, inside, ring)


@pytest.mark.parametrize("pan", [0.0, 2.0], ids=["fixed", "pan"])
def test_the_truth_agrees_with_what_was_seen(pan: float) -> None:
    wrong, worst, detail, share = figures(pan, speed=4)
    assert abs(wrong) < 0.35 and abs(worst) < 0.5 and abs(detail) < 0.35
    assert share > 0.9


@pytest.mark.parametrize("pan", [0.0, 2.0], ids=["fixed", "pan"])
def test_something_else_and_a_blur_do_not(pan: float) -> None:
    other = scene(pan)[:, ::-1, ::-1]
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 6) for frame in scene(pan)])
    usual = figures(pan, speed=4)
    assert figures(pan, 4, other)[0] > usual[0] + 1
    assert figures(pan, 4, blurred)[0] > usual[0] + 0.7
    assert figures(pan, 4, blurred)[2] < usual[2] - 0.5


def test_the_median_leaves_out_what_is_not_there() -> None:
    rng = np.random.default_rng(1)
    values = rng.random((FRAMES, 200), dtype=np.float32)
    values[rng.random(values.shape) < 0.5] = np.nan
    count = np.isfinite(values).sum(0)
    assert count.min() > 0
    assert np.array_equal(_median(values, count), np.nanmedian(values, axis=0).astype(np.float32))


def test_what_was_never_seen_is_not_judged() -> None:
    wrong = np.zeros((FRAMES, HEIGHT, WIDTH), np.float32)
    assert figures(0, 0, wrong) == [0.0] * FIGURES
    everywhere = np.ones_like(wrong)
    assert evidence(scene(0), scene(0), everywhere, everywhere) == [0.0] * FIGURES
    assert evidence(scene(0), scene(0), wrong, wrong) == [0.0] * FIGURES
