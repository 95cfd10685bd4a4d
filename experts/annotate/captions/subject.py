"""Whether what is named is what the picture is of.

A detector names what it knows, and what it does not know may fill the picture: an animal from near,
with people far off behind it. Two things give that away without knowing its name. It moves as no
background does (:func:`unfollowed_share`): where the camera turns or stands, all that stands still
moves by one transform, and what is in front, or moves by itself, leaves it. And the lens is
focused on it (:func:`relative_focus`), so that what lies far behind is blurred.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.camera import deviation, fit_transform, sample_flow
from experts.annotate.motion.flow import DIS
from experts.annotate.motion.statistics import working_size
from experts.base import Frames, Masks
from experts.masks.geometry import Mask

FOCUS_SIDE = 960
"""px, the long side at which sharpness is measured: what is smaller than a pixel there is noise."""


def unfollowed_share(
    frames: Frames,
    followed: Masks | Sequence[Mask],
    *,
    pairs: int = 8,
    gap: int = 2,
    away_px: float = 1.0,
    often: float = 0.5,
    rim: int = 4,
) -> float:
    """Share of the picture, 0-1, of the largest region that leaves the background's motion in
    `often` of the time and belongs to none of the `followed` masks [T, H, W], grown by `rim` px.

    Measured on `pairs` of frames, `gap` apart, at the working size of
    `experts.annotate.motion.statistics`; a pixel leaves it that is `away_px` from where the
    background's motion takes it. On the clips of infra/bench/split.toml it is at most 0.02 where
    nothing unnamed is in front, and 0.09 to 0.6 where something is.
    """
    count, height, width = frames.shape[:3]
    if count <= gap:
        return 0.0
    size = working_size(width, height)
    often_away = np.zeros(size)
    starts = np.unique(np.linspace(0, count - gap - 1, pairs).round().astype(int))
    for t in starts:
        before, after = (shrunk(frames[k], size) for k in (t, t + gap))
        taken = _grown(followed[t], size, rim)
        (field,) = DIS.flows([(before, after)])
        camera = fit_transform(
            *sample_flow(field, ~taken), min_points=24, static_px=0.15, inlier_px=1.0
        )
        often_away += (deviation(field, camera) > away_px) & ~taken
    away = (often_away > often * len(starts)).astype(np.uint8)
    away = cv2.morphologyEx(away, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    found, _, regions, _ = cv2.connectedComponentsWithStats(away)
    return float(regions[1:, cv2.CC_STAT_AREA].max()) / away.size if found > 1 else 0.0


def relative_focus(
    frames: Sequence[NDArray[np.uint8]],
    named: Sequence[Mask] | Masks,
    *,
    cells: tuple[int, int] = (8, 12),
) -> float:
    """How sharp the edges in the masks `named` [H, W] of a few `frames` are, over those of the
    sharpest tenth of the picture's `cells` (rows, columns); the frames' median. 1 where nothing is
    named. Frames may be smaller than their masks, but not than :func:`focus_size`.

    On the clips of infra/bench/split.toml what is named and is the subject has 0.6 to 1.1, the
    forest behind a squirrel 0.37.
    """
    ratios = []
    for frame, name in zip(frames, named, strict=True):
        fine, coarse = _details(frame)
        height, width = fine.shape
        mask = cv2.resize(name.astype(np.uint8), (width, height)) > 0
        rows = np.array_split(np.arange(height), cells[0])
        columns = np.array_split(np.arange(width), cells[1])
        sharpest = [
            _sharpness(
                fine[r[0] : r[-1] + 1, c[0] : c[-1] + 1].ravel(),
                coarse[r[0] : r[-1] + 1, c[0] : c[-1] + 1].ravel(),
            )
            for r in rows
            for c in columns
        ]
        if mask.any():
            ratios.append(
                _sharpness(fine[mask], coarse[mask]) / max(float(np.quantile(sharpest, 0.9)), 1e-6)
            )
    return float(np.median(ratios)) if ratios else 1.0


def focus_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) at which the sharpness of a picture of height × width px is measured."""
    scale = min(1.0, FOCUS_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _details(frame: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """[h, w] each: how much of every pixel's grey is detail finer than 1 px, and than 4."""
    small = shrunk(frame, focus_size(*frame.shape[:2]))
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine, coarse = (np.abs(grey - cv2.GaussianBlur(grey, (0, 0), sigma)) for sigma in (1.0, 4.0))
    return fine, coarse


def _sharpness(fine: NDArray[np.float32], coarse: NDArray[np.float32]) -> float:
    """Of some pixels: of the tenth with the strongest edges, what share of the edge is fine. The
    2 grey levels keep noise on plain surfaces from being an edge."""
    edges = coarse >= np.quantile(coarse, 0.9)
    return float(np.median(fine[edges] / (coarse[edges] + 2.0)))


def shrunk(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The picture [H, W, 3] at `size` (height, width), at most its own; pixels are means."""
    return np.asarray(cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA))


def _grown(mask: Mask, size: tuple[int, int], rim: int) -> Mask:
    small = cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_AREA)
    brush = np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)
    return np.asarray(cv2.dilate((small > 0).astype(np.uint8), brush) > 0)
