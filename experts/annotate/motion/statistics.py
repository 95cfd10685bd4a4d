"""How much moves in a clip: inside a mask, outside it, and the one against the other.

All figures are px per frame at the working size, whose long side is WORKING_SIDE px, so that clips
of every resolution can be compared. VIVID-10M (Sec. 3.4) gives these three distributions. The
camera's own motion is estimated in `experts.annotate.motion.camera`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from experts.annotate.motion.flow import DIS, Flow, FlowEstimator
from experts.base import Frames, Masks

WORKING_SIDE = 320
"""px, the long side on which motion is measured; nothing is enlarged."""


@dataclass(frozen=True, slots=True)
class MotionStatistics:
    """px per frame at the working size."""

    foreground: float  # mean length of the flow inside the mask
    background: float  # and outside
    relative: float  # length of the difference of the two mean vectors


def working_size(width: int, height: int) -> tuple[int, int]:
    """(height, width) of a picture of width × height px at the working size."""
    scale = min(1.0, WORKING_SIDE / max(width, height))
    return round(height * scale), round(width * scale)


def flows(frames: Frames, estimator: FlowEstimator = DIS) -> list[Flow]:
    """The flow from each of `frames` to the next: one less than there are frames."""
    return estimator.flows(list(pairwise(frames)))


def measure(fields: Sequence[Flow], masks: Masks) -> MotionStatistics | None:
    """The motion of `masks` [T, h, w] in the flows between their frames (T − 1); None where no
    frame shows both sides (an image, a mask that is empty or covers everything)."""
    rows = []
    for field, mask in zip(fields, masks[:-1], strict=True):
        if mask.any() and not mask.all():
            inside, outside = field[mask], field[~mask]
            rows.append(
                (
                    np.hypot(*inside.T).mean(),
                    np.hypot(*outside.T).mean(),
                    np.hypot(*(inside.mean(0) - outside.mean(0))),
                )
            )
    return MotionStatistics(*np.mean(rows, axis=0).tolist()) if rows else None
