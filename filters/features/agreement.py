"""How the made side agrees with the footage: with what other frames show, and with how it moves.

Measured at half the size of the other pixel measures: an average of 2×2 px takes half of the grain
away and of what registration is off by.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.camera import Transform
from filters.base import PairSample
from filters.encoder.views import view_boxes
from filters.features.evidence import EVIDENCE_MEASURES, evidence
from filters.features.motion import MOTION_MEASURES, motion
from filters.features.registration import camera_steps, to_middle

AGREEMENT_MEASURES = (*EVIDENCE_MEASURES, *MOTION_MEASURES)

KnownCameras = dict[tuple[int, int], list[Transform]]
"""Camera motion of a real side by the identities of its frames and of the mask."""

Colours = NDArray[np.float32]


def agreement(
    sample: PairSample,
    real: Colours,
    made: Colours,
    inside: NDArray[np.float32] | None,
    cameras: KnownCameras,
) -> list[float]:
    """AGREEMENT_MEASURES of a pair, from planes [T, h, w, 3] of both sides and [T, h, w] of the
    mask, 0–1, cut and scaled as filters.features.pixels does. The camera's motion is kept in
    `cameras` for other pairs that share real side and mask."""
    height, width = real.shape[1:3]
    size = max(1, width // 2), max(1, height // 2)
    before, after = _scaled(real, size), _scaled(made, size)
    if inside is None or sample.mask is None:
        nowhere = np.zeros(before.shape[:3], np.float32)
        still = [np.eye(3)] * len(before)
        return [0.0] * len(EVIDENCE_MEASURES) + motion(before, after, nowhere, still, size)
    footage = sample.sides[0]
    key = id(footage), id(sample.mask)
    if key not in cameras:
        cameras[key] = camera_steps(footage, sample.mask)
    box = view_boxes(np.asarray(sample.mask.any(axis=0, keepdims=True)))[0]
    warps, canvas = to_middle(cameras[key], box, size)
    where = _scaled(inside, size)
    return [
        *evidence(before, after, where, warps, canvas),
        *motion(before, after, where, warps, canvas),
    ]


def _scaled(planes: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in planes])
