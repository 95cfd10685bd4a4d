"""How the background moves from frame to frame, also where the object hides it.

Flow completion, as in Xu et al. ("Deep Flow-Guided Video Inpainting", CVPR 2019) and Gao et al.
("Flow-edge Guided Video Completion", ECCV 2020), without a network: between neighbours the camera's
homography comes first and DIS optical flow on top of it. Inside a hole no flow of the background
was seen, so there the difference between flow and homography is interpolated from the hole's rim
and added to the homography again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.camera import Transform, fit_transform, track_corners, transform_flow
from experts.annotate.motion.flow import Flow, consistent, flow
from experts.base import Frames, Masks
from experts.edit.remover.fills.diffuse import diffuse
from experts.progress import over

FLOW_MARGIN = 8
"""px around a hole without trusted flow: DIS matches patches of 8 px, which mix object and
background there."""

AGAIN_PX = 48
"""px around a filled hole in which flow is measured again; the outer half only leads up to it."""

RESIDUAL_NOISE_PX = 0.15
"""Under a camera that stands, flow shorter than this is noise."""

Box = tuple[slice, slice]
"""Rows and columns."""


@dataclass(frozen=True)
class BackgroundFlow:
    """Between neighbours: `forward[t]` t → t+1, `backward[t]` t+1 → t, each [H, W, 2] in px."""

    forward: list[Flow]
    backward: list[Flow]

    def step(self, t: int, sign: int) -> tuple[Flow, bool]:
        """From frame `t` to the next one (`sign` 1) or the one before (-1), and whether nothing
        moves: nothing does under a camera that stands, which most do."""
        if sign > 0:
            return self.forward[t], self._still[0][t]
        return self.backward[t - 1], self._still[1][t - 1]

    @cached_property
    def _still(self) -> tuple[list[bool], list[bool]]:
        forward, backward = ([not f.any() for f in way] for way in (self.forward, self.backward))
        return forward, backward

    def static(self, shape: tuple[int, ...]) -> Masks:
        """Where the background does not move to either neighbour, bool of `shape` (T, H, W)."""
        static = np.ones(shape, bool)
        for t, (ahead, behind) in enumerate(zip(self.forward, self.backward, strict=True)):
            static[t] &= (ahead == 0).all(axis=-1)
            static[t + 1] &= (behind == 0).all(axis=-1)
        return static

    def resized(self, size: tuple[int, int]) -> BackgroundFlow:
        """The same for frames of `size` (width, height)."""

        def resize(flow: Flow) -> Flow:
            scale = np.array([size[0] / flow.shape[1], size[1] / flow.shape[0]], np.float32)
            small = cv2.resize(flow, size, interpolation=cv2.INTER_AREA)
            return np.asarray(small * scale, np.float32)

        return BackgroundFlow(*([resize(f) for f in way] for way in (self.forward, self.backward)))


@dataclass(frozen=True)
class MeasuredFlow:
    """What is measured between neighbours, before anything is completed: `there` t → t+1, `back`
    t+1 → t, each [H, W, 2] px, and the `camera`'s motion as over a flat, static scene."""

    there: list[Flow]
    back: list[Flow]
    camera: BackgroundFlow

    @cached_property
    def _trusted(self) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """Where both ways agree, of `there` and `back`: completed several times, found once."""
        ways = zip(self.there, self.back, strict=True)
        return [(consistent(there, back), consistent(back, there)) for there, back in ways]

    def completed(self, holes: Masks) -> BackgroundFlow:
        """The background's flow, also behind the `holes` [T, H, W]."""
        wide = _with_margin(holes)
        out = BackgroundFlow([], [])
        trusted = over(self._trusted, "completing motion", len(self.there))
        for t, (ahead, behind) in enumerate(trusted):
            there, back = self.camera.step(t, 1), self.camera.step(t + 1, -1)
            out.forward.append(_complete(self.there[t], ahead & ~wide[t], *there))
            out.backward.append(_complete(self.back[t], behind & ~wide[t + 1], *back))
        return out


def camera_steps(frames: Frames, holes: Masks) -> list[Transform]:
    """The camera's homographies from each of `frames` [T, H, W, 3] to the next, estimated outside
    of the `holes` [T, H, W]."""
    pairs, wide = pairwise(_grays(frames)), _with_margin(holes[:-1])
    return [_homography(*pair, hole) for pair, hole in zip(pairs, wide, strict=True)]


def camera_flow(steps: Sequence[Transform], size: tuple[int, int]) -> BackgroundFlow:
    """What the camera's `steps` give a flat, static scene of `size` (H, W)."""
    still = np.zeros((*size, 2), np.float32)  # one for all steps at which the camera stands

    def flows(ways: Iterable[Transform]) -> list[Flow]:
        return [transform_flow(each, size) if (each != np.eye(3)).any() else still for each in ways]

    back = (np.asarray(np.linalg.inv(step), np.float64) for step in steps)
    return BackgroundFlow(flows(steps), flows(back))


def measure(frames: Frames, camera: BackgroundFlow) -> MeasuredFlow:
    """Optical flow between all neighbours of `frames` [T, H, W, 3], whose camera's is known."""
    grays = _grays(frames)
    steps = len(grays) - 1
    there = [flow(a, b) for a, b in over(pairwise(grays), "measuring motion", steps)]
    back = [flow(b, a) for a, b in over(pairwise(grays), "measuring motion back", steps)]
    return MeasuredFlow(there, back, camera)


def measure_again(measured: MeasuredFlow, frames: Frames, changed: Masks) -> MeasuredFlow:
    """The flow of `frames` [T, H, W, 3] that differ where they were `changed` [T, H, W] from those
    of `measured`, whose arrays it takes over: flows are the most that a removal holds."""
    grays = _grays(frames)
    steps = over(pairwise(grays), "measuring motion again", len(grays) - 1)
    for t, (before, after) in enumerate(steps):
        hole = changed[t] | changed[t + 1]
        if not hole.any():
            continue
        reach = _reach(hole, measured.camera.forward[t])
        outer, inner = _box(hole, reach), _box(hole, reach // 2)
        part = _relative(inner, outer)
        measured.there[t][inner] = flow(before[outer], after[outer])[part]
        measured.back[t][inner] = flow(after[outer], before[outer])[part]
    return MeasuredFlow(measured.there, measured.back, measured.camera)


def _grays(frames: Frames) -> list[NDArray[np.uint8]]:
    return [np.asarray(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), np.uint8) for f in frames]


def _with_margin(holes: Masks) -> list[NDArray[np.bool_]]:
    """The `holes` [T, H, W], each with the FLOW_MARGIN around it."""
    margin = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * FLOW_MARGIN + 1,) * 2)
    return [cv2.dilate(hole.astype(np.uint8), margin) > 0 for hole in holes]


def _reach(hole: NDArray[np.bool_], camera: Flow) -> int:
    """How far around a `hole` [H, W] flow is measured again, px: DIS starts from frames in which
    the largest motion is a few px, and a small picture cannot be shrunk as often."""
    return AGAIN_PX + 2 * int(np.abs(camera[hole]).max())


def _box(hole: NDArray[np.bool_], reach: int) -> Box:
    """Rows and columns up to `reach` px around all of the `hole` [H, W]."""
    sides = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
    rows, columns = (
        slice(max(0, int(at[0]) - reach), min(size, int(at[-1]) + 1 + reach))
        for at, size in zip(sides, hole.shape, strict=True)
    )
    return rows, columns


def _relative(inner: Box, outer: Box) -> Box:
    """Where the box `inner` lies within the box `outer`."""
    rows, columns = (
        slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, outer, strict=True)
    )
    return rows, columns


def _homography(
    before: NDArray[np.uint8], after: NDArray[np.uint8], hole: NDArray[np.bool_]
) -> Transform:
    """The camera's, at full size, since it brings pixels: more and closer corners than a path
    needs. A third of them at rest makes a camera that stands (`infra/bench/removal/run.py`)."""
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


def _complete(measured: Flow, trusted: NDArray[np.bool_], camera: Flow, still: bool) -> Flow:
    residual = diffuse(measured - camera, trusted.astype(np.float32))
    if still:
        residual *= (cv2.magnitude(*cv2.split(residual)) > RESIDUAL_NOISE_PX)[..., None]
    return camera + residual
