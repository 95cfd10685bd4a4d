"""Tiny hand-made footage: what is in it is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filters.footage.measurer import FootageMeasurer
from filters.footage.models import FootageModels

Frames = NDArray[np.uint8]

SIZE = 270, 480


def measured(
    frames: Sequence[NDArray[np.uint8]], models: FootageModels | None = None
) -> dict[str, float]:
    """Measures of frames half a second apart."""
    measurer = FootageMeasurer(models or FootageModels())
    for k, frame in enumerate(frames):
        measurer.add(k / 2, frame)
    return measurer.measures()


@pytest.fixture
def measure() -> Callable[..., dict[str, float]]:
    return measured


@pytest.fixture(scope="session")
def wide() -> NDArray[np.uint8]:
    """A picture with edges of all sizes and directions, larger than a frame."""
    rng = np.random.default_rng(0)
    height, width = 2 * SIZE[0], 3 * SIZE[1]
    scales = [
        cv2.resize(rng.normal(0, 1, (height // s, width // s, 3)), (width, height))
        for s in (6, 20, 60)
    ]
    return np.clip(128 + 45 * sum(scales), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def pan(wide: NDArray[np.uint8]) -> Frames:
    """20 frames [20, 270, 480, 3] of a camera that pans over it."""
    y = [int(100 + 90 * np.sin(0.8 * k)) for k in range(20)]
    x = [40 * k for k in range(20)]
    height, width = SIZE
    return np.stack([wide[b : b + height, a : a + width] for a, b in zip(x, y, strict=True)])


@pytest.fixture(scope="session")
def pictures(wide: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Four pictures that have nothing in common."""
    height, width = SIZE
    return [
        wide[:height, :width],
        255 - wide[height:, :width],
        wide[:height, width : 2 * width],
        255 - wide[:height, 2 * width :],
    ]
