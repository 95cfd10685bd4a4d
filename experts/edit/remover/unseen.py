"""The places no frame saw: invented once, then carried to the other frames along the flow.

Inventing them frame by frame flickers. So the frame with the most unseen pixels is painted first,
every other frame takes what it can from it, and what is still open is painted the same way.
Slivers are left to Telea's method: a network that works at its own size would fill them with what
it takes for their surroundings, which is the removed object.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Frames, Masks
from experts.edit.remover.background_flow import BackgroundFlow
from experts.edit.remover.gather import at, disc, inside_frame, region
from experts.edit.remover.seam import match_rim

PAINTINGS = 5  # at most, per clip: each costs about a second
WORTH_PAINTING_PX = 64  # fewer open pixels in a frame are closed by Telea's method
TELEA_RADIUS = 5.0  # px
SLIVER_PX = 3  # a place no disc of this radius fits into is a sliver

Paint = Callable[[NDArray[np.uint8], NDArray[np.bool_]], NDArray[np.uint8]]


def complete(
    filled: Frames, unseen: Masks, motion: BackgroundFlow, paint: Paint
) -> tuple[Frames, Masks]:
    """`filled` with its `unseen` pixels closed, and which of them come from a painted frame.

    `filled` [T, H, W, 3] must be right outside `unseen` [T, H, W]; both are left as they are.
    `paint` gets a frame and a hole and returns the frame with that hole closed.
    """
    frames, left = filled.copy(), np.stack([_thick(hole) for hole in unseen])
    painted = np.zeros_like(unseen)
    for _ in range(PAINTINGS):
        areas = left.sum(axis=(1, 2))
        t = int(areas.argmax())
        if areas[t] < WORTH_PAINTING_PX:
            break
        frames[t] = paint(_closed(frames[t], unseen[t] & ~painted[t]), left[t])
        painted[t] |= left[t]
        left[t] = False
        for s in np.flatnonzero(left.any(axis=(1, 2))):
            taken = _carry(frames, left[s], motion, int(s), t)
            painted[s] |= taken
            left[s] &= ~taken
    rest = unseen & ~painted
    for last in np.flatnonzero(rest.any(axis=(1, 2))):
        frames[last] = _closed(frames[last], rest[last])
    return frames, painted


def _thick(hole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The hole without its slivers."""
    kernel = disc(SLIVER_PX)
    opened = cv2.morphologyEx(hole.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    return np.asarray(hole & (cv2.dilate(opened, kernel) > 0))


def _closed(frame: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The frame with the hole closed from its rim."""
    closed = cv2.inpaint(frame, hole.astype(np.uint8), TELEA_RADIUS, cv2.INPAINT_TELEA)
    return np.asarray(closed, np.uint8)


def _carry(
    frames: Frames, left: NDArray[np.bool_], motion: BackgroundFlow, s: int, t: int
) -> NDArray[np.bool_]:
    """Fill the open pixels `left` of frame `s` from the complete frame `t`; which ones could be."""
    pixels = region(left)
    x, y = pixels.x, pixels.y
    reached = np.ones(len(x), bool)
    for k in range(abs(t - s)):
        flow = motion.forward[s + k] if t > s else motion.backward[s - k - 1]
        step = at(flow, x, y, cv2.INTER_LINEAR)
        x, y = x + step[:, 0], y + step[:, 1]
        reached &= inside_frame(x, y, frames.shape[1:3])
    colour = match_rim(frames[s], pixels, at(frames[t], x, y, cv2.INTER_CUBIC), reached)
    return pixels.put(frames[s], colour, reached)
