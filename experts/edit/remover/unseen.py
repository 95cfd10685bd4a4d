"""The places no frame saw: invented once, then carried to the other frames along the flow.

Inventing them frame by frame flickers. So the frame with the most unseen pixels is painted first,
every other frame takes what it can from it, and what is still open is painted the same way.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Frames, Masks
from experts.edit.remover.gather import at, inside_frame, region
from experts.edit.remover.motion import Motion
from experts.edit.remover.seam import match_rim

PAINTINGS = 5  # at most, per clip: each costs about a second
WORTH_PAINTING_PX = 64  # fewer open pixels in a frame are closed by Telea's method
TELEA_RADIUS = 5.0  # px

Paint = Callable[[NDArray[np.uint8], NDArray[np.bool_]], NDArray[np.uint8]]


def complete(filled: Frames, unseen: Masks, motion: Motion, paint: Paint) -> tuple[Frames, Masks]:
    """`filled` with its `unseen` pixels closed, and which of them come from a painted frame.

    `filled` [T, H, W, 3] must be right outside `unseen` [T, H, W]; both are left as they are.
    `paint` gets a frame and a hole and returns the frame with that hole closed.
    """
    frames, left = filled.copy(), unseen.copy()
    painted = np.zeros_like(unseen)
    for _ in range(PAINTINGS):
        areas = left.sum(axis=(1, 2))
        t = int(areas.argmax())
        if areas[t] < WORTH_PAINTING_PX:
            break
        frames[t] = paint(frames[t], left[t])
        painted[t] |= left[t]
        left[t] = False
        for s in np.flatnonzero(left.any(axis=(1, 2))):
            taken = _carry(frames, left[s], motion, int(s), t)
            painted[s] |= taken
            left[s] &= ~taken
    for last in np.flatnonzero(left.any(axis=(1, 2))):
        t = int(last)
        hole = left[t].astype(np.uint8)
        frames[t] = cv2.inpaint(frames[t], hole, TELEA_RADIUS, cv2.INPAINT_TELEA)
    return frames, painted


def _carry(
    frames: Frames, left: NDArray[np.bool_], motion: Motion, s: int, t: int
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
