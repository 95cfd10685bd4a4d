"""Carries a per-frame stylization through a clip, so that strokes stick to what they paint.

A stylizer run frame by frame flickers: noise of the camera moves its strokes. Here the clip's
middle frame is the anchor, and from it each next frame, outwards in both directions, is the frame
before warped along the *source's* optical flow (after Ruder, Dosovitskiy, Brox, "Artistic style
transfer for videos", GCPR 2016, who put the same idea into an optimisation), mixed with a little
of its own stylization: `HOLD` says how little. Where the flow cannot be trusted or the source
itself changed (an occlusion, a brake light), the frame's own stylization takes over.

Averaging strokes that do not coincide washes them out. What the mix loses in local contrast is
given back: its fine band is scaled to the local deviation of the frame's own stylization
(variance-preserving blending: Heitz, Neyret, "High-performance by-example noise using a
histogram-preserving blending operator", HPG 2018, done here with local measured deviations).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.flow import Flow, consistent, flow, warp
from experts.base import Frames
from experts.progress import over

HOLD = 0.94
"""Share of the warped previous frame where it is trusted completely."""

TOLERANCE = 12.0
"""Levels of 255: a source pixel that differs this much from where it came from is half trusted."""

FINE_SIGMA = 1.5
"""px; what a Gaussian of this width removes is the band of the strokes."""

MAX_GAIN = 1.5
"""Most by which the fine band is amplified, lest noise of the mix is taken for strokes."""

Image = NDArray[np.float32]
Weight = NDArray[np.float32]
"""[H, W], 0–1: how far a pixel may be taken from the neighbouring frame."""


@dataclass(frozen=True, slots=True)
class FrameMapping:
    """How the pixels of one frame are found in a neighbouring one."""

    flow: Flow
    seen: NDArray[np.bool_]  # [H, W]: not hidden there, by the flow alone
    trust: Weight


@dataclass(frozen=True, slots=True)
class Motion:
    """`back[t]` finds frame t+1's pixels in frame t, `ahead[t]` frame t's pixels in frame t+1."""

    back: tuple[FrameMapping, ...]
    ahead: tuple[FrameMapping, ...]


def motion(frames: Frames) -> Motion:
    """The steps between all neighbouring frames of [T, H, W, 3]."""
    back, ahead = [], []
    for a, b in over(itertools.pairwise(frames), "measuring motion", len(frames) - 1):
        forward, backward = flow(a, b), flow(b, a)
        ahead.append(_step(a, b, forward, backward))
        back.append(_step(b, a, backward, forward))
    return Motion(tuple(back), tuple(ahead))


def _step(
    here: NDArray[np.uint8], there: NDArray[np.uint8], to_there: Flow, to_here: Flow
) -> FrameMapping:
    gap = _channel_mean(cv2.absdiff(here, warp(there, to_there)).astype(np.float32))
    gap = cv2.GaussianBlur(gap, (0, 0), 1.5)  # one noisy pixel is not a change
    alike = np.exp2(-np.square(gap / TOLERANCE))
    seen = consistent(to_there, to_here)
    # shrunk by a pixel and softened: a hard edge of trust would show as a seam
    sure = cv2.GaussianBlur(cv2.erode(seen.astype(np.float32), np.ones((3, 3))), (0, 0), 1.0)
    return FrameMapping(to_there, seen, np.asarray(sure * alike, dtype=np.float32))


def denoise(frames: Frames, motion: Motion) -> Frames:
    """Each frame averaged with its two neighbours where they show the same, [T, H, W, 3]."""
    quiet = np.empty_like(frames)
    for t, frame in enumerate(frames):
        total = frame.astype(np.float32)
        weight = np.ones(frame.shape[:2], np.float32)
        steps = [(t - 1, motion.back[t - 1])] if t else []
        steps += [(t + 1, motion.ahead[t])] if t + 1 < len(frames) else []
        for other, step in steps:
            total += step.trust[..., None] * warp(frames[other], step.flow)
            weight += step.trust
        quiet[t] = np.rint(total / weight[..., None])
    return quiet


def steady(styled: Frames, motion: Motion, hold: float = HOLD) -> Frames:
    """The stylized frames [T, H, W, 3] stabilized along the source's `motion`; same shape."""
    count = len(styled)
    middle = count // 2
    made = np.empty_like(styled)
    made[middle] = styled[middle]
    for order, steps, side in (
        (range(middle + 1, count), motion.back, -1),
        (range(middle - 1, -1, -1), motion.ahead, 1),
    ):
        carried = styled[middle].astype(np.float32)
        for t in order:
            step = steps[t - 1] if side < 0 else steps[t]
            carried = _mix(styled[t].astype(np.float32), carried, step, hold)
            made[t] = np.rint(carried)
    return made


def _mix(own: Image, carried: Image, step: FrameMapping, hold: float) -> Image:
    before = _resample(carried, step.flow)
    share = (hold * step.trust)[..., None]
    mixed = own + share * (before - own)
    base = cv2.GaussianBlur(mixed, (0, 0), FINE_SIGMA)
    fine = mixed - base
    wanted = _deviation(own - cv2.GaussianBlur(own, (0, 0), FINE_SIGMA))
    gain = np.clip(wanted / np.maximum(_deviation(fine), 1.0), 1.0, MAX_GAIN)
    return np.asarray(np.clip(base + gain[..., None] * fine, 0.0, 255.0), dtype=np.float32)


def _deviation(fine: Image) -> NDArray[np.float32]:
    """Local standard deviation of the fine band's mean channel, [H, W]."""
    square = _channel_mean(np.square(fine))
    return np.asarray(np.sqrt(cv2.GaussianBlur(square, (0, 0), 4.0 * FINE_SIGMA)))


def _channel_mean(image: Image) -> NDArray[np.float32]:
    """`image.mean(axis=-1)` of three channels, to the bit and in a fifth of the time."""
    return np.asarray((image[..., 0] + image[..., 1] + image[..., 2]) / np.float32(3))


def _resample(image: Image, flow: Flow) -> Image:
    """`warp` with a Lanczos kernel: a bilinear or cubic one, repeated over a clip, blurs."""
    height, width = image.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return np.asarray(
        cv2.remap(image, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def warp_error(frames: Frames, motion: Motion) -> float:
    """Flow-warping error (Ewarp of Señorita-2M, ×10⁻³): flicker along the source's `motion`.

    Mean over neighbouring pairs of the squared difference (colours 0–1) between a frame and its
    successor warped onto it, where the flow is consistent (Lai et al., "Learning blind video
    temporal consistency", ECCV 2018, eq. 11–12). 0.0 for a single frame.
    """
    errors = [
        step_error(frames[t], frames[t + 1], step.flow, step.seen)
        for t, step in enumerate(motion.ahead)
    ]
    known = [error for error in errors if error is not None]
    return float(np.mean(known)) if known else 0.0


def step_error(
    frame: NDArray[np.uint8], following: NDArray[np.uint8], ahead: Flow, seen: NDArray[np.bool_]
) -> float | None:
    """One step's share of :func:`warp_error`, ×10⁻³: `frame` [H, W, 3] against the next, warped
    along `ahead` (frame → following), where `seen` [H, W]. None if nothing is."""
    if not seen.any():
        return None
    gap = frame.astype(np.float32) - warp(following, ahead)
    return 1e3 * float(_channel_mean(np.square(gap / 255.0))[seen].mean())
