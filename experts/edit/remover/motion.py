"""How the background moves from frame to frame, also behind the object.

Between neighbours: a homography from tracked corners outside the hole (RANSAC), and DIS flow on
top of it. Inside the hole no flow of the background was seen, so there the difference between flow
and homography is interpolated from the rim and added to the homography again.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.flow import Flow, consistent, flow
from experts.base import Frames, Masks
from experts.edit.remover.diffuse import diffuse

CORNERS = 600  # tracked per frame pair
CORNERS_ENOUGH = 12  # fewer say nothing about the camera
RANSAC_PX = 1.0
STILL_PX = 0.2  # a corner that moved less has not moved
STILL_SHARE = 0.3  # this share of unmoved corners makes a fixed camera; the rest is traffic
FLOW_MARGIN = 8  # px around the hole: DIS patches (8 px) there mix object and background
RESIDUAL_NOISE_PX = 0.15  # differences from a still camera's zero motion below this are noise


@dataclass(frozen=True, slots=True)
class Motion:
    """Background flow between neighbours: `forward[t]` t → t+1, `backward[t]` t+1 → t, px."""

    forward: list[Flow]
    backward: list[Flow]

    def still(self, shape: tuple[int, ...]) -> Masks:
        """Where the background does not move to either neighbour, bool of `shape` (T, H, W)."""
        still = np.ones(shape, bool)
        for t, (ahead, behind) in enumerate(zip(self.forward, self.backward, strict=True)):
            still[t] &= (ahead == 0).all(axis=-1)
            still[t + 1] &= (behind == 0).all(axis=-1)
        return still


def homography(
    a: NDArray[np.uint8], b: NDArray[np.uint8], hole: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """3×3 from pixels of gray `a` to gray `b`, by corners outside `hole`.

    Identity if there are too few corners, or if what they say is no camera's motion (a cut).
    """
    corners = cv2.goodFeaturesToTrack(
        a, CORNERS, 0.005, 6, mask=np.where(hole, 0, 255).astype(np.uint8)
    )
    if corners is None or len(corners) < CORNERS_ENOUGH:
        return np.eye(3)
    ends, found, _ = cv2.calcOpticalFlowPyrLK(a, b, corners, None, winSize=(15, 15), maxLevel=3)
    ok = found.ravel() == 1
    start, end = corners.reshape(-1, 2)[ok], ends.reshape(-1, 2)[ok]
    if len(start) < CORNERS_ENOUGH:
        return np.eye(3)
    if np.mean(np.hypot(*(end - start).T) < STILL_PX) > STILL_SHARE:
        return np.eye(3)
    matrix, _ = cv2.findHomography(start, end, cv2.RANSAC, RANSAC_PX, maxIters=1000)
    if matrix is None or not _plausible(matrix, a.shape[:2]):
        return np.eye(3)
    return np.asarray(matrix, np.float64)


def _plausible(matrix: NDArray[np.float64], size: tuple[int, int]) -> bool:
    """Whether the frame's corners stay in front of the camera and move less than its long side."""
    (height, width), longest = size, max(size)
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64)
    moved = corners @ matrix.T
    depth = moved[:, 2]
    if not np.isfinite(moved).all() or depth.min() < 0.5 or depth.max() > 2:
        return False
    return bool(np.abs(moved[:, :2] / depth[:, None] - corners[:, :2]).max() < longest)


def field(matrix: NDArray[np.float64], size: tuple[int, int]) -> Flow:
    """The flow [H, W, 2] of a homography."""
    height, width = size
    if np.array_equal(matrix, np.eye(3)):
        return np.zeros((height, width, 2), np.float32)
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    depth = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    u = (matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]) / depth - x
    v = (matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]) / depth - y
    return np.stack([u, v], axis=-1).astype(np.float32)


def background_motion(frames: Frames, holes: Masks) -> tuple[Motion, Motion]:
    """Completed flow between all neighbours of `frames`, whose `holes` hide the background.

    The second answer is the homographies alone: the camera's motion over a flat, still world.
    """
    grays = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]
    margin = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * FLOW_MARGIN + 1,) * 2)
    wide = [cv2.dilate(h.astype(np.uint8), margin) > 0 for h in holes]
    completed, rigid = Motion([], []), Motion([], [])
    for t in range(len(frames) - 1):
        there = flow(grays[t], grays[t + 1])
        back = flow(grays[t + 1], grays[t])
        matrix = homography(grays[t], grays[t + 1], wide[t])
        rigid.forward.append(field(matrix, there.shape[:2]))
        rigid.backward.append(field(np.linalg.inv(matrix).astype(np.float64), there.shape[:2]))
        completed.forward.append(_complete(there, back, rigid.forward[t], wide[t]))
        completed.backward.append(_complete(back, there, rigid.backward[t], wide[t + 1]))
    return completed, rigid


def _complete(there: Flow, back: Flow, rigid: Flow, wide: NDArray[np.bool_]) -> Flow:
    trusted = consistent(there, back) & ~wide
    residual = diffuse(there - rigid, trusted.astype(np.float32))
    if not rigid.any():
        residual *= (cv2.magnitude(*cv2.split(residual)) > RESIDUAL_NOISE_PX)[..., None]
    return rigid + residual
