"""Footage and the encoder the filter tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from filters.base import FRAMES

SIZE = 96, 160


@pytest.fixture(scope="session")
def moving() -> NDArray[np.uint8]:
    """Synthetic footage [17, 96, 160, 3]: a coloured texture that pans."""
    rng = np.random.default_rng(1)
    height, width = SIZE
    coarse = rng.integers(40, 215, (height // 4, width // 2, 3), dtype=np.uint8)
    wide = coarse.repeat(4, 0).repeat(4, 1)
    return np.stack([wide[:, 3 * t : 3 * t + width] for t in range(FRAMES)])


@pytest.fixture(scope="session")
def box() -> NDArray[np.bool_]:
    """A mask [17, 96, 160] that moves a little."""
    mask = np.zeros((FRAMES, *SIZE), bool)
    for t in range(FRAMES):
        mask[t, 30:66, 50 + t : 100 + t] = True
    return mask


@pytest.fixture(scope="session")
def encoder():
    from filters.encoder.embedded import EmbeddedEncoder

    made = EmbeddedEncoder()
    made.load()
    return made


@pytest.fixture(scope="session")
def footage() -> dict[str, NDArray[np.uint8]]:
    """17 frames of each of three sample clips, 256 px wide."""
    from catalog.media import sample_frames
    from experts.weights import fetch

    clips = ("clip_motorway", "clip_city", "clip_bikes")
    sampled = {clip: sample_frames(Path(fetch(clip)), FRAMES, 256) for clip in clips}
    # Even sides, as every video file has them
    return {clip: f[:, : f.shape[1] // 2 * 2] for clip, f in sampled.items()}
