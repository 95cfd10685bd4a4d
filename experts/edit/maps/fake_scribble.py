"""Fake scribbles as video: the target of fake-scribble detection, the source of scribble→video."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.maps.edges import Hed
from experts.annotate.maps.scribble import clip_flow, steady_lines, steady_ridges, strokes
from experts.base import EditRequest, EditResult, Frames
from experts.licences import of_weights

REFERENCE_SIDE = 512
"""px of the short side that the lengths below refer to: that of ControlNet's own detector."""

WORKING_SIDE = 384
"""px of the short side at which lines are found; smaller frames are worked on at their own size.
HED's own scale is coarser still, and flow at twice the size costs four times as much."""

SIMPLIFY_SIGMA = (2.0, 4.0)
"""px; blur before lines are found: the more, the fewer and rounder they are. ControlNet: 3."""

THRESHOLD = (102.0, 153.0)
"""Of 255, for a line to be drawn. ControlNet: 127."""

STROKE_SIGMA = (1.6, 3.2)
"""px; makes strokes 7 to 13 px wide of the lines. ControlNet: 3."""

SHARE = (0.01, 0.28)
"""Least and largest mean share of the picture under strokes that is aimed at: soft footage gets a
lower threshold, busy footage a higher one, as a hand would leave out its details."""

STEP = 0.85
LIMITS = (50.0, 200.0)
"""Factor on the threshold, and how far it may go: above, HED is as sure of details as of outlines,
and all lines would go at once."""


class FakeScribbleMap:
    """White strokes on black, the same in all three channels.

    How simple and how thick the strokes are is drawn from the seed. `info`: `simplify_sigma` and
    `stroke_sigma` (px where the short side is REFERENCE_SIDE), `threshold` (of 255),
    `strokes` (share of the picture under them).
    """

    name = "fake_scribble"
    slots = Hed.slots
    output_licence = of_weights(*slots)

    def __init__(self) -> None:
        self._hed = Hed()

    @property
    def version(self) -> str:
        """Of the strokes, and the edge detector's."""
        return f"2+{self._hed.version}"

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
        size = request.frames.shape[1:3]
        small = _shrunk(request.frames)
        side = min(small.shape[1:3])
        scale = min(1.0, side / REFERENCE_SIDE)
        flows = clip_flow(small)
        ridges = steady_ridges(self._hed.hed(small), flows, max(0.5, simplify * scale))

        def draw(level: float) -> NDArray[np.bool_]:
            lines = steady_lines(ridges, flows, level)
            return np.stack([strokes(each, max(0.5, width * scale), size) for each in lines])

        level, drawn = threshold, draw(threshold)
        factor = STEP if drawn.mean() < SHARE[0] else 1 / STEP
        while not SHARE[0] <= drawn.mean() <= SHARE[1]:
            if not LIMITS[0] <= level * factor <= LIMITS[1]:
                break
            level *= factor
            drawn = draw(level)
        info: dict[str, Any] = {
            "simplify_sigma": round(simplify, 3),
            "threshold": round(level, 2),
            "stroke_sigma": round(width, 3),
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
