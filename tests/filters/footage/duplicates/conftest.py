"""Tiny scenes with a known truth: discs that move before a still ground."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filters.footage.duplicates import Fingerprint, Fingerprinter

Frame = NDArray[np.uint8]

HEIGHT, WIDTH = 90, 160


class Scene:
    """What one fixed camera sees. Another seed is another place; another time, another take."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        coarse = rng.integers(0, 256, (5, 8, 3)).astype(np.uint8)
        self.ground = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        self._place = rng.uniform(0, 1, (5, 2)) * (WIDTH, HEIGHT)
        self._speed = rng.normal(0, 12, (5, 2))  # px/s
        self._colour = rng.integers(0, 256, (5, 3)).tolist()

    def at(self, time_s: float) -> Frame:
        frame = self.ground.copy()
        path = (self._place + self._speed * time_s) % (2 * WIDTH, 2 * HEIGHT)
        for centre, colour in zip(np.abs(path - (WIDTH, HEIGHT)), self._colour, strict=True):
            cv2.circle(frame, centre.astype(int).tolist(), 12, colour, -1)
        return frame

    def fingerprint(
        self,
        start: float = 0,
        stop: float = 8,
        rate: float = 1,
        change: Callable[[Frame], Frame] = lambda frame: frame,
    ) -> Fingerprint:
        """Of the scene from `start` to `stop`, s, played `rate` as fast."""
        made = Fingerprinter()
        for time_s in np.arange(0, (stop - start) / rate, 0.5).tolist():
            made.add(time_s, change(self.at(start + time_s * rate)))
        return made.fingerprint()


@pytest.fixture
def scene() -> Callable[[int], Scene]:
    return Scene
