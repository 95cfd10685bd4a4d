"""Fake scribbles as video: the target of fake-scribble detection, the source of scribble→video."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.edges import Hed
from experts.annotate.scribble import steady_lines, strokes
from experts.base import EditRequest, EditResult, Frames

WORKING_SIDE = 512
"""px of the short side at which lines are found; ControlNet's detector works at that size, and its
figures below are px of it. Smaller frames are worked on at their own size."""

SIMPLIFY_SIGMA = (2.0, 4.0)
"""px; blur before lines are found: the more, the fewer and rounder they are. ControlNet: 3."""

THRESHOLD = (102.0, 153.0)
"""Of 255, for a line to be drawn. ControlNet: 127."""

STROKE_SIGMA = (1.6, 3.2)
"""px; makes strokes 7 to 13 px wide of the lines. ControlNet: 3."""

FEWEST = 0.01
"""Least mean share of the picture under strokes; soft footage gets a lower threshold."""

LOWER = 0.75
LOWEST = 4
"""Factor on the threshold, and how many times it is tried."""


class FakeScribbleMap:
    """White strokes on black, the same in all three channels.

    How simple and how thick the strokes are is drawn from the seed. `info`: `simplify_sigma` and
    `stroke_sigma` (px of the working size, short side `working_side`), `threshold` (of 255),
    `strokes` (share of the picture under them).
    """

    name = "fake_scribble"

    def __init__(self) -> None:
        self._hed = Hed()

    @property
    def version(self) -> str:
        """Of the strokes, and the edge detector's."""
        return f"1+{self._hed.version}"

    def load(self) -> None:
        """Opens HED."""
        self._hed.load()

    def close(self) -> None:
        """Frees it."""
        self._hed.close()

    def edit(self, request: EditRequest) -> EditResult:
        rng = np.random.default_rng(request.seed)
        simplify, threshold, width = (
            float(rng.uniform(*limits)) for limits in (SIMPLIFY_SIGMA, THRESHOLD, STROKE_SIGMA)
        )
        height, full_width = request.frames.shape[1:3]
        small = _shrunk(request.frames)
        side = min(small.shape[1:3])
        scale = min(1.0, side / WORKING_SIDE)
        strengths = self._hed.hed(small)
        for attempt in range(LOWEST):
            level = threshold * LOWER**attempt
            lines = steady_lines(strengths, small, max(0.5, simplify * scale), level)
            drawn = np.stack(
                [strokes(each, max(0.5, width * scale), (height, full_width)) for each in lines]
            )
            if drawn.mean() >= FEWEST:
                break
        info: dict[str, Any] = {
            "simplify_sigma": round(simplify, 3),
            "threshold": round(level, 2),
            "stroke_sigma": round(width, 3),
            "working_side": side,
            "strokes": round(float(drawn.mean()), 4),
        }
        return EditResult(_white(drawn), info=info)


def _shrunk(frames: Frames) -> Frames:
    height, width = frames.shape[1:3]
    scale = WORKING_SIDE / min(height, width)
    if scale >= 1:
        return frames
    size = (round(width * scale), round(height * scale))
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames]).astype(
        np.uint8, copy=False
    )


def _white(drawn: NDArray[np.bool_]) -> Frames:
    return np.repeat(drawn.astype(np.uint8)[..., None] * np.uint8(255), 3, axis=3)
