"""How the made side agrees with the footage: with what other frames show, and with how it moves.

Measured at half the size of the other pixel measures: an average of 2×2 px takes half of the grain
away and of what registration is off by.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.base import PairFrames
from filters.encoder.views import view_boxes
from filters.features.evidence import EVIDENCE_MEASURES, HiddenBackground, evidence
from filters.features.motion import MOTION_MEASURES, motion
from filters.features.plain import Gradients, fill_figures
from filters.features.registration import camera_steps, to_middle

AGREEMENT_MEASURES = (*EVIDENCE_MEASURES, *MOTION_MEASURES)

Colours = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RealSide:
    """What is known of a real side and a mask, whatever was made of them."""

    real: Colours
    inside: NDArray[np.float32]
    background: HiddenBackground | None  # None without a mask
    gradients: Gradients | None


KnownFootage = dict[tuple[int, int, int], RealSide]
"""By the identities of the real side's frames and of the mask, and by height."""


def agreement(
    sample: PairFrames,
    real: Colours,
    made: Colours,
    inside: NDArray[np.float32] | None,
    known: KnownFootage,
) -> tuple[list[float], dict[str, float]]:
    """AGREEMENT_MEASURES of a pair and figures of its fill (filters.features.plain), from planes
    [T, h, w, 3] of both sides and [T, h, w] of the mask, 0–1, cut and scaled as
    filters.features.pixels does. What the real side tells is kept in `known` for other pairs that
    share it and the mask."""
    height, width = real.shape[1:3]
    size = max(1, width // 2), max(1, height // 2)
    key = id(sample.sides[0]), id(sample.mask), height
    if key not in known:
        known[key] = _footage(sample, real, inside, size)
    footage = known[key]
    after = _scaled(made, size)
    if footage.background is None or footage.gradients is None:
        still = [np.eye(3)] * len(after)
        moves = motion(footage.real, after, footage.inside, still, size)
        return [0.0] * len(EVIDENCE_MEASURES) + moves, {}
    warps, canvas = footage.background.warps, footage.background.size
    measures = [
        *evidence(footage.background, after),
        *motion(footage.real, after, footage.inside, warps, canvas),
    ]
    return measures, fill_figures(footage.background, footage.gradients, after)


def _footage(
    sample: PairFrames, real: Colours, inside: NDArray[np.float32] | None, size: tuple[int, int]
) -> RealSide:
    before = _scaled(real, size)
    if inside is None or sample.mask is None:
        return RealSide(before, np.zeros(before.shape[:3], np.float32), None, None)
    box = view_boxes(np.asarray(sample.mask.any(axis=0, keepdims=True)))[0]
    warps, canvas = to_middle(camera_steps(sample.sides[0], sample.mask), box, size)
    where = _scaled(inside, size)
    background = HiddenBackground(before, where, warps, canvas)
    return RealSide(before, where, background, Gradients.of(background))


def _scaled(planes: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in planes])
