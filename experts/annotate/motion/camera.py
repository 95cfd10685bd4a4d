"""The camera's motion, estimated from the background.

Where a camera turns or zooms, or what it films is flat or far away, one transform of the picture
takes the static background from a frame to the next (Hartley and Zisserman, *Multiple View
Geometry*, 2nd ed., ch. 8.4). It is fitted to pairs of matching points by RANSAC, which leaves out
what moves on its own as long as most points are background; the pixels of known objects are left
out beforehand.

Everything goes through one fit, :func:`fit_transform`. Its callers differ in where their points
come from and in how many degrees of freedom they can afford:

- corners tracked by Lucas-Kanade (:func:`track_corners`), or every few pixels of an optical flow
  that was computed anyway (:func:`sample_flow`);
- a similarity (4 degrees of freedom), which is robust even with few points, where the question is
  how far the camera panned or how a mask must move; a homography (8), which also follows
  perspective, where pixels are warped to other frames.

A transform is a float64 3×3 matrix in px: what lies at (x, y, 1) in one frame lies at its product,
divided by the third coordinate, in the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.flow import Flow
from experts.annotate.motion.statistics import WORKING_SIDE
from experts.base import Frames, Masks
from experts.masks.geometry import Mask

Transform = NDArray[np.float64]
"""[3, 3], see the module's docstring."""

Points = NDArray[np.float32]
"""[N, 2]: x and y, px."""


def track_corners(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    background: Mask | None = None,
    *,
    max_corners: int = 200,
    quality: float = 0.01,
    spacing: int = 8,
    window: int = 21,
) -> tuple[Points, Points]:
    """Where corners of the grey frame `before` [H, W] lie in it and in `after`.

    Corners are Shi and Tomasi's ("Good Features to Track", CVPR 1994) within `background` (True
    where a corner may lie; None: everywhere), at least `spacing` px apart, whose response is at
    least `quality` times the best one's. They are followed by pyramidal Lucas-Kanade over windows
    of `window` px. The defaults suit frames of WORKING_SIDE px; `window` is OpenCV's.
    """
    allowed = None if background is None else background.astype(np.uint8)
    corners = cv2.goodFeaturesToTrack(before, max_corners, quality, spacing, mask=allowed)
    if corners is None:
        return np.empty((0, 2), np.float32), np.empty((0, 2), np.float32)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, corners, None, winSize=(window, window), maxLevel=3
    )
    tracked = found.ravel() == 1
    return corners.reshape(-1, 2)[tracked], moved.reshape(-1, 2)[tracked]


def sample_flow(field: Flow, background: Mask, *, stride: int = 4) -> tuple[Points, Points]:
    """Every `stride`-th background pixel in each direction, and where the optical flow takes it."""
    y, x = np.nonzero(background[::stride, ::stride])
    start = np.stack([x, y], 1).astype(np.float32) * stride
    return start, start + field[::stride, ::stride][y, x]


def fit_transform(
    start: Points,
    end: Points,
    *,
    model: Literal["similarity", "homography"] = "similarity",
    inlier_px: float = 1.0,
    min_points: int = 8,
    static_px: float = 0.0,
    static_share: float = 0.5,
    size: tuple[int, int] | None = None,
) -> Transform:
    """The transform that takes the most of `start` [N, 2] to `end` within `inlier_px`.

    The identity if there are fewer than `min_points`; if more than `static_share` of the points
    moved less than `static_px` (then the camera stands and the rest is traffic, which could outvote
    the background); or, where the frames' `size` (height, width) is given, if no camera moves like
    that from one frame to the next, as at a cut.
    """
    static = np.eye(3)
    if len(start) < min_points:
        return static
    if np.mean(np.hypot(*(end - start).T) < static_px) > static_share:
        return static
    if model == "homography":
        found, _ = cv2.findHomography(start, end, cv2.RANSAC, inlier_px, maxIters=1000)
    else:
        found, _ = cv2.estimateAffinePartial2D(
            start, end, method=cv2.RANSAC, ransacReprojThreshold=inlier_px
        )
    if found is None:
        return static
    transform = np.asarray(found if len(found) == 3 else np.vstack([found, [0, 0, 1]]), np.float64)
    return transform if size is None or _plausible(transform, size) else static


def _plausible(transform: Transform, size: tuple[int, int]) -> bool:
    """Whether the frame's corners stay in front of the camera and move less than its long side."""
    height, width = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64)
    moved = corners @ transform.T
    depth = moved[:, 2]
    if not np.isfinite(moved).all() or depth.min() < 0.5 or depth.max() > 2:
        return False
    return bool(np.abs(moved[:, :2] / depth[:, None] - corners[:, :2]).max() < max(size))


def transform_flow(transform: Transform, size: tuple[int, int]) -> Flow:
    """The optical flow [H, W, 2] that a transform gives a static picture of `size` (H, W), px."""
    height, width = size
    if np.array_equal(transform, np.eye(3)):
        return np.zeros((height, width, 2), np.float32)
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    depth = transform[2, 0] * x + transform[2, 1] * y + transform[2, 2]
    u = (transform[0, 0] * x + transform[0, 1] * y + transform[0, 2]) / depth - x
    v = (transform[1, 0] * x + transform[1, 1] * y + transform[1, 2]) / depth - y
    return np.stack([u, v], axis=-1).astype(np.float32)


def accumulate(steps: Sequence[Transform]) -> NDArray[np.float64]:
    """[T, 3, 3], from the first frame to each, of the T − 1 `steps` between neighbours."""
    total = [np.eye(3)]
    for step in steps:
        total.append(step @ total[-1])
    return np.stack(total)


def camera_path(
    frames: Frames,
    objects: Masks | Sequence[Mask] | None = None,
    size: tuple[int, int] | None = None,
) -> NDArray[np.float32]:
    """[T, 2]: how far (x, y) the camera's motion has moved the picture since the first frame, px.

    Static background at p in the first frame lies at p + path[t] in frame t as far as the camera
    pans; of turns and zooms the path keeps only what they do to the picture's middle. `frames` are
    [T, H, W, 3], `objects` [T, H, W] what moves on its own. Measured at the working size of
    `experts.annotate.motion.statistics`; where `frames` are of that size already, `size` (H, W) is
    the clip's, whose px are meant.
    """
    count = len(frames)
    height, width = size or frames.shape[1:3]
    scale = min(1.0, WORKING_SIDE / max(height, width))
    small = max(1, round(width * scale)), max(1, round(height * scale))
    middle = np.array([small[0] / 2, small[1] / 2, 1.0])
    path = np.zeros((count, 2), np.float32)
    before = _grey(frames[0], small) if count else np.empty((0, 0), np.uint8)
    for t in range(1, count):
        after = _grey(frames[t], small)
        background = None if objects is None else _uncovered(objects[t - 1], small)
        step = fit_transform(*track_corners(before, after, background))[:2]
        path[t] = path[t - 1] + (step @ middle - middle[:2]).astype(np.float32) / scale
        before = after
    return path


def _grey(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def _uncovered(mask: Mask, size: tuple[int, int]) -> Mask:
    """The pixels of a picture of `size` (width, height) that no part of the mask falls into."""
    return np.asarray(cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_AREA) == 0)


def camera_motion(fields: Sequence[Flow], objects: Masks) -> list[Transform]:
    """Per optical flow between neighbouring frames, the similarity of what lies outside `objects`
    [T, h, w]. Flows are measured at the working size of `experts.annotate.motion.statistics`, where
    the camera moves by few px, so the bounds are narrower and more points are asked for."""
    return [
        fit_transform(
            *sample_flow(field, ~mask),
            inlier_px=0.5,
            min_points=24,
            static_px=0.15,
            static_share=0.5,
        )
        for field, mask in zip(fields, objects[:-1], strict=True)
    ]


def deviation(field: Flow, camera: Transform) -> NDArray[np.float32]:
    """[h, w]: how far each pixel's optical flow is from what the camera's motion makes it, px."""
    apart = field - transform_flow(camera, field.shape[:2])
    return np.asarray(np.hypot(apart[..., 0], apart[..., 1]), np.float32)


def agreement(
    fields: Sequence[Flow], steps: Sequence[Transform], objects: Masks, *, within_px: float = 1.0
) -> float:
    """Share of the pixels outside `objects` [T, h, w], 0–1, whose flow is within `within_px` of the
    camera's motion. It is low where the camera travels through a deep scene, which no single
    transform describes. 1 where there is nothing to compare."""
    shares = [
        (deviation(field, step)[~mask] < within_px).mean()
        for field, step, mask in zip(fields, steps, objects[:-1], strict=True)
        if not mask.all()
    ]
    return float(np.mean(shares)) if shares else 1.0
