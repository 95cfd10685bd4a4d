"""An object's trajectory over the frames, and the transforms that bring one object to another's.

An object's foot is the point below its middle where it meets the ground. Its trajectory is smoothed
relative to the ground and not to the picture: the camera's motion is taken off first and added
again, so that what stands on the ground shakes with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.camera import camera_path
from experts.base import Frames, Masks
from experts.masks.geometry import box_of

SMOOTHING = 5.0
"""Frames; deviation of the Gaussian. A segmenter's edge jitters by a pixel."""

Placement = NDArray[np.float64]
"""[2, 3], px of the donor's picture → px of the edit."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """`foot` [T, 2] (x, y) and `height` [T], px."""

    foot: NDArray[np.float64]
    height: NDArray[np.float64]


def trajectory_of(frames: Frames, masks: Masks) -> Trajectory:
    """Of an object that is there in at least one frame; interpolated in the others."""
    seen = np.flatnonzero(masks.any(axis=(1, 2)))
    values = np.array([_foot_and_height(masks[t]) for t in seen])
    every = np.arange(len(masks))
    values = np.stack([np.interp(every, seen, column) for column in values.T], axis=1)
    camera = camera_path(frames, masks).astype(np.float64)
    on_ground = smoothed(values[:, :2] - camera)
    return Trajectory(on_ground + camera, smoothed(values[:, 2:])[:, 0])


def _foot_and_height(mask: NDArray[np.bool_]) -> tuple[float, float, float]:
    """x of the centroid, y of the lower edge, height."""
    box = box_of(mask)
    assert box is not None
    columns = mask.any(axis=0)
    x = float(np.flatnonzero(columns) @ mask.sum(axis=0)[columns]) / float(mask.sum())
    return x + 0.5, box[3], box[3] - box[1]


def smoothed(values: NDArray[np.float64], deviation: float = SMOOTHING) -> NDArray[np.float64]:
    """[T, C] over time; beyond the ends the values are extended by point reflection, which keeps a
    constant speed."""
    reach = min(len(values) - 1, round(3 * deviation))
    if reach < 1:
        return values.copy()
    before = 2 * values[0] - values[reach:0:-1]
    after = 2 * values[-1] - values[-2 : -reach - 2 : -1]
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    kernel /= kernel.sum()
    whole = np.concatenate([before, values, after])
    return np.stack([np.convolve(column, kernel, "valid") for column in whole.T], axis=1)


def placements(place: Trajectory, donor: Trajectory, ratio: float, mirror: bool) -> list[Placement]:
    """Per frame, what brings the donor's foot to the place's and makes its height `ratio` times
    the place's."""
    scale = ratio * place.height / donor.height
    matrices = []
    for s, to, start in zip(scale, place.foot, donor.foot, strict=True):
        across = -s if mirror else s
        matrices.append(
            np.array([[across, 0, to[0] - across * start[0]], [0, s, to[1] - s * start[1]]])
        )
    return matrices


def warped(
    image: NDArray[np.float32], placement: Placement, size: tuple[int, int]
) -> NDArray[np.float32]:
    """`image` [h, w, C] placed in a picture of `size` (height, width); 0 outside of it. An image
    that shrinks is low-pass filtered first."""
    # pixel centres lie at halves in placements, at whole numbers in OpenCV
    shift = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    whole = np.linalg.inv(shift) @ np.vstack([placement, [0, 0, 1]]) @ shift
    scale = float(placement[1, 1])
    if scale < 1:
        image = cv2.GaussianBlur(image, (0, 0), max(0.01, 0.5 * np.sqrt(1 / scale**2 - 1)))
    return np.asarray(
        cv2.warpAffine(image, whole[:2], size[::-1], flags=cv2.INTER_CUBIC), np.float32
    )
