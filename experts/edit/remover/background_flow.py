"""How the background moves from frame to frame, also where the object hides it.

Flow completion, as in Xu et al. ("Deep Flow-Guided Video Inpainting", CVPR 2019) and Gao et al.
("Flow-edge Guided Video Completion", ECCV 2020), without a network: between neighbours the camera's
homography comes first and DIS optical flow on top of it. Inside a hole no flow of the background
was seen, so there the difference between flow and homography is interpolated from the hole's rim
and added to the homography again.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.camera import Transform, fit_transform, track_corners, transform_flow
from experts.annotate.motion.flow import Flow, consistent, flow
from experts.base import Frames, Masks
from experts.edit.remover.diffuse import diffuse

FLOW_MARGIN = 8
"""px around a hole without trusted flow: DIS matches patches of 8 px, which mix object and
background there."""

RESIDUAL_NOISE_PX = 0.15
"""Under a camera that stands, flow shorter than this is noise."""


@dataclass(frozen=True, slots=True)
class BackgroundFlow:
    """Between neighbours: `forward[t]` t → t+1, `backward[t]` t+1 → t, each [H, W, 2] in px."""

    forward: list[Flow]
    backward: list[Flow]

    def static(self, shape: tuple[int, ...]) -> Masks:
        """Where the background does not move to either neighbour, bool of `shape` (T, H, W)."""
        static = np.ones(shape, bool)
        for t, (ahead, behind) in enumerate(zip(self.forward, self.backward, strict=True)):
            static[t] &= (ahead == 0).all(axis=-1)
            static[t + 1] &= (behind == 0).all(axis=-1)
        return static


def background_flow(frames: Frames, holes: Masks) -> tuple[BackgroundFlow, BackgroundFlow]:
    """Completed flow between all neighbours of `frames` [T, H, W, 3], whose `holes` [T, H, W] hide
    the background, and the flow of the camera's homographies alone, as over a flat, static scene.
    """
    grays = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]
    margin = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * FLOW_MARGIN + 1,) * 2)
    wide = [cv2.dilate(h.astype(np.uint8), margin) > 0 for h in holes]
    completed, camera = BackgroundFlow([], []), BackgroundFlow([], [])
    for t in range(len(frames) - 1):
        there = flow(grays[t], grays[t + 1])
        back = flow(grays[t + 1], grays[t])
        matrix = _homography(grays[t], grays[t + 1], wide[t])
        inverse = np.asarray(np.linalg.inv(matrix), np.float64)
        camera.forward.append(transform_flow(matrix, there.shape[:2]))
        camera.backward.append(transform_flow(inverse, there.shape[:2]))
        completed.forward.append(_complete(there, back, camera.forward[t], wide[t]))
        completed.backward.append(_complete(back, there, camera.backward[t], wide[t + 1]))
    return completed, camera


def _homography(
    before: NDArray[np.uint8], after: NDArray[np.uint8], hole: NDArray[np.bool_]
) -> Transform:
    """The camera's, at full size, since it brings pixels: more and closer corners than a path
    needs. A third of them at rest makes a camera that stands (`infra/bench/removal.py`)."""
    corners = track_corners(
        before, after, ~hole, max_corners=600, quality=0.005, spacing=6, window=15
    )
    return fit_transform(
        *corners,
        model="homography",
        min_points=12,
        static_px=0.2,
        static_share=0.3,
        size=before.shape[:2],
    )


def _complete(there: Flow, back: Flow, camera: Flow, wide: NDArray[np.bool_]) -> Flow:
    trusted = consistent(there, back) & ~wide
    residual = diffuse(there - camera, trusted.astype(np.float32))
    if not camera.any():
        residual *= (cv2.magnitude(*cv2.split(residual)) > RESIDUAL_NOISE_PX)[..., None]
    return camera + residual
