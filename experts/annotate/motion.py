"""How much moves in a clip: inside a mask, outside it, and the one against the other.

All figures are px per frame at the working size, whose long side is WORKING px, so that clips of
every resolution can be compared. VIVID-10M (Sec. 3.4) gives these three distributions.

The camera's own motion between neighbouring frames is the similarity that most of the background's
flow agrees on. It carries what belongs to the background, and is taken off what an object does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.flow import Flow, flow
from experts.base import Frames, Masks

WORKING = 320
"""px, the long side on which motion is measured; nothing is enlarged."""

STEP = 4  # px between the flow vectors that vote for the camera's motion
ENOUGH = 24  # vectors; fewer say nothing about the camera
RANSAC_PX = 0.5
STILL_PX = 0.15  # a background whose median vector is shorter belongs to a fixed camera

STRAY_PX = 1.0
"""What strays further from the camera's motion does not belong to the background."""

Similarity = NDArray[np.float64]
"""2×3: what lies at (x, y, 1) in one frame lies at its product in another; px."""


@dataclass(frozen=True, slots=True)
class Motion:
    """px per frame at the working size."""

    foreground: float  # mean length of the flow inside the mask
    background: float  # and outside
    relative: float  # length of the difference of the two mean vectors


def working_size(width: int, height: int) -> tuple[int, int]:
    """(height, width) of a picture of width × height px at the working size."""
    scale = min(1.0, WORKING / max(width, height))
    return round(height * scale), round(width * scale)


def flows(frames: Frames) -> list[Flow]:
    """The flow from each of `frames` to the next: one less than there are frames."""
    return [flow(a, b) for a, b in pairwise(frames)]


def measure(fields: Sequence[Flow], masks: Masks) -> Motion | None:
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
    return Motion(*np.mean(rows, axis=0).tolist()) if rows else None


def camera(fields: Sequence[Flow], occupied: Masks) -> list[Similarity]:
    """Per flow, the motion of the background: of what lies outside `occupied` [T, h, w]."""
    return [_camera(field, mask) for field, mask in zip(fields, occupied[:-1], strict=True)]


def _camera(field: Flow, occupied: NDArray[np.bool_]) -> Similarity:
    y, x = np.nonzero(~occupied[::STEP, ::STEP])
    start = np.stack([x, y], 1).astype(np.float32) * STEP
    vectors = field[::STEP, ::STEP][y, x]
    still = np.eye(2, 3)
    if len(start) < ENOUGH or np.median(np.hypot(*vectors.T)) < STILL_PX:
        return still
    found, _ = cv2.estimateAffinePartial2D(
        start, start + vectors, method=cv2.RANSAC, ransacReprojThreshold=RANSAC_PX
    )
    return still if found is None else np.asarray(found, np.float64)


def agreement(fields: Sequence[Flow], steps: Sequence[Similarity], occupied: Masks) -> float:
    """Share of the background, 0–1, that moves as the camera is said to: low where the camera
    travels through a deep scene, of which no single motion is true. 1 where nothing was compared.
    """
    shares = [
        (stray(field, step)[~mask] < STRAY_PX).mean()
        for field, step, mask in zip(fields, steps, occupied[:-1], strict=True)
        if not mask.all()
    ]
    return float(np.mean(shares)) if shares else 1.0


def stray(field: Flow, step: Similarity) -> NDArray[np.float64]:
    """How far each pixel's flow is from the camera's motion, px, [h, w]."""
    height, width = field.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float64)
    there = np.stack([x, y, np.ones_like(x)], -1) @ step.T
    return np.asarray(np.hypot(*np.moveaxis(field - (there - np.stack([x, y], -1)), -1, 0)))


def chain(steps: Sequence[Similarity]) -> NDArray[np.float64]:
    """[T, 2, 3]: from the first frame to each, the first being the identity."""
    total = np.eye(3)
    out = [total[:2]]
    for step in steps:
        total = np.vstack([step, [0, 0, 1]]) @ total
        out.append(total[:2])
    return np.stack(out)
