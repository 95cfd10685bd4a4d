"""How the camera moves: the background's way over the frames, from corners that are tracked."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Frames, Masks

WORKING_SIDE = 320
"""px; long side at which corners are tracked."""

CORNERS = 200
SPACING = 8  # px between two corners
LEAST_CORNERS = 8
"""Fewer tell nothing: the camera is taken to stand still for that frame."""


def camera_path(frames: Frames, objects: Masks | None = None) -> NDArray[np.float32]:
    """[T, 2]: how far (x, y) the picture's middle has moved since frame 0, px of `frames`.

    Background that was at p in frame 0 is at p + path[t] in frame t, as far as the camera pans;
    turns and zooms move the rest of the picture otherwise. `objects` [T, H, W] are left out.
    """
    count, height, width = frames.shape[:3]
    scale = min(1.0, WORKING_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    path = np.zeros((count, 2), np.float32)
    before = _grey(frames[0], size) if count else None
    for t in range(1, count):
        after = _grey(frames[t], size)
        free = None if objects is None else _free(objects[t - 1], size)
        path[t] = path[t - 1] + _step(before, after, free) / scale
        before = after
    return path


def _grey(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def _free(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.uint8]:
    covered = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_AREA)
    return np.asarray(255 * (covered == 0), np.uint8)


def _step(
    before: NDArray[np.uint8] | None, after: NDArray[np.uint8], free: NDArray[np.uint8] | None
) -> NDArray[np.float32]:
    """The middle's move from one frame to the next, px at working size."""
    still = np.zeros(2, np.float32)
    assert before is not None
    corners = cv2.goodFeaturesToTrack(before, CORNERS, 0.01, SPACING, mask=free)
    if corners is None or len(corners) < LEAST_CORNERS:
        return still
    found, status, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None)
    kept = status.ravel() == 1
    if kept.sum() < LEAST_CORNERS:
        return still
    matrix, _ = cv2.estimateAffinePartial2D(corners[kept], found[kept], ransacReprojThreshold=1.0)
    if matrix is None:
        return still
    middle = np.array([before.shape[1] / 2, before.shape[0] / 2, 1])
    return np.asarray(matrix @ middle - middle[:2], np.float32)
