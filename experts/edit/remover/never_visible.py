"""Fills the places that no frame shows: inpainted once, then propagated along the flow.

Inpainting them frame by frame flickers. So the frame with the most such pixels is inpainted first,
every other frame takes from it what the flow reaches, and what is still open is inpainted the same
way (as Xu et al., "Deep Flow-Guided Video Inpainting", CVPR 2019, do). Slivers are filled by
Telea's method instead: a network that works at its own resolution would fill them with what it
takes for their surroundings, which is the removed object.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Frames, Masks
from experts.edit.remover.background_flow import BackgroundFlow
from experts.edit.remover.fills.gather import disc, followed, hole_and_ring, inside_frame, sample
from experts.edit.remover.seam import match_rim

MIN_INPAINTED_PX = 64
"""Fewer open pixels in a frame are filled by Telea's method."""

TELEA_RADIUS = 5.0
"""px; how far Telea's method looks (J. Graphics Tools 2004)."""

SLIVER_PX = 3
"""A place that no disc of this radius fits into is a sliver."""

Inpaint = Callable[[int, NDArray[np.uint8], NDArray[np.bool_]], NDArray[np.uint8]]
"""(number of the frame, frame [H, W, 3], hole [H, W]) → the frame with the hole filled."""


def fill_never_visible(
    filled: Frames,
    never_visible: Masks,
    background: BackgroundFlow,
    inpaint: Inpaint,
    *,
    max_frames: int = 5,
) -> tuple[Frames, Masks]:
    """`filled` with its `never_visible` pixels filled, and which of them come from an inpainted
    frame, [T, H, W].

    `filled` [T, H, W, 3] must be right outside `never_visible` [T, H, W]; both are left as they
    are. At most `max_frames` frames are inpainted; the rest is filled by Telea's method.
    """
    frames, left = filled.copy(), np.stack([_without_slivers(hole) for hole in never_visible])
    inpainted = np.zeros_like(never_visible)
    for _ in range(max_frames):
        areas = left.sum(axis=(1, 2))
        t = int(areas.argmax())
        if areas[t] < MIN_INPAINTED_PX:
            break
        surroundings = telea(frames[t], never_visible[t] & ~inpainted[t])
        frames[t] = inpaint(t, surroundings, left[t])
        inpainted[t] |= left[t]
        left[t] = False
        for s in np.flatnonzero(left.any(axis=(1, 2))):
            reached = _propagate(frames, left[s], background, int(s), t)
            inpainted[s] |= reached
            left[s] &= ~reached
    rest = never_visible & ~inpainted
    for last in np.flatnonzero(rest.any(axis=(1, 2))):
        frames[last] = telea(frames[last], rest[last])
    return frames, inpainted


def telea(frame: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The frame [H, W, 3] with the hole [H, W] filled from its rim."""
    closed = cv2.inpaint(frame, hole.astype(np.uint8), TELEA_RADIUS, cv2.INPAINT_TELEA)
    return np.asarray(closed, np.uint8)


def _without_slivers(hole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    kernel = disc(SLIVER_PX)
    opened = cv2.morphologyEx(hole.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    return np.asarray(hole & (cv2.dilate(opened, kernel) > 0))


def _propagate(
    frames: Frames, left: NDArray[np.bool_], background: BackgroundFlow, s: int, t: int
) -> NDArray[np.bool_]:
    """Fills the open pixels `left` [H, W] of frame `s` from the complete frame `t`, in place;
    returns those that the flow reaches."""
    pixels = hole_and_ring(left)
    x, y = pixels.x, pixels.y
    reached = np.ones(len(x), bool)
    sign = 1 if t > s else -1
    for k in range(s, t, sign):
        x, y = followed(background, k, sign, x, y)
        reached &= inside_frame(x, y, frames.shape[1:3])
    colour = match_rim(frames[s], pixels, sample(frames[t], x, y, cv2.INTER_CUBIC), reached)
    return pixels.put(frames[s], colour, reached)
