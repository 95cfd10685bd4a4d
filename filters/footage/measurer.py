"""Measures footage from frames sampled over the whole of it, in one pass and bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from filters.footage.change import ChangeMeasure
from filters.footage.exposure import ExposureMeasure
from filters.footage.models import FootageModels
from filters.footage.overlay import OverlayMeasure
from filters.footage.sampled import LONG_SIDE, sample, shrunk
from filters.footage.screen import ScreenMeasure

VERSION = "1"
"""Changes whenever the same frames may give other measures, what models say aside."""

LOOKED_AT = 6
"""Frames that the models see, evenly spaced over the footage."""


class FootageMeasurer:
    """Of one video: `add` its sampled frames in time order, about two a second, then `measures`.

    Its memory does not grow with the video's length: running sums, and at most 2 × LOOKED_AT frames
    for the models.
    """

    def __init__(self, models: FootageModels) -> None:
        self._models = models
        self._overlay = OverlayMeasure()
        self._parts = (ExposureMeasure(), ChangeMeasure(), ScreenMeasure())
        self._kept = EvenlyKept(LOOKED_AT)
        self._shape: tuple[int, ...] = ()
        self._count = 0

    def add(self, time_s: float, frame: NDArray[np.uint8]) -> None:
        """One frame, RGB [h, w, 3], `time_s` seconds after the first; all have one size. One larger
        than LONG_SIDE is scaled down. Raises ValueError for another size."""
        if self._shape and frame.shape != self._shape:
            raise ValueError(f"a frame of shape {frame.shape} after frames of {self._shape}")
        self._shape = frame.shape
        one = sample(time_s, frame)
        for part in self._parts:
            part.add(one)
        if self._models.text is not None:
            self._overlay.add(one)
        if self._models.used:
            self._kept.add(shrunk(frame, LONG_SIDE))
        self._count += 1

    def measures(self) -> dict[str, float]:
        """Numbers, as JSON holds them; what so few frames cannot tell is left out.

        The parts and the models say what each means; `samples` is how many frames were added, and
        `overlay_area` the share of the picture that overlays take. Loads the models if nobody did.
        """
        found = {"samples": float(self._count)}
        for part in self._parts:
            found |= part.measures()
        if self._count:
            for model in self._models.used:
                found |= model.look(self._kept.chosen())
        if self._models.text is not None and self._overlay.enough:
            lines = self._models.text.lines(self._overlay.mean_picture())
            found["overlay_area"] = float(self._overlay.overlays(lines).mean())
        return found


class EvenlyKept:
    """At most 2 n pictures of a stream of unknown length, evenly spaced, and n of them."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._every = 1
        self._seen = 0
        self._kept: list[NDArray[np.uint8]] = []

    def add(self, picture: NDArray[np.uint8]) -> None:
        if self._seen % self._every == 0 and len(self._kept) == 2 * self._n:
            self._kept = self._kept[::2]
            self._every *= 2
        if self._seen % self._every == 0:
            self._kept.append(picture.copy())
        self._seen += 1

    def chosen(self) -> NDArray[np.uint8]:
        """[≤ n, h, w, 3], evenly spaced among those that are kept."""
        count = min(self._n, len(self._kept))
        middles = (np.arange(count) + 0.5) * len(self._kept) / count
        return np.stack([self._kept[int(middle)] for middle in middles])
