"""Masks carried through a stretch of frames by optical flow, from its first frame and its last.

The flows between neighbouring frames are composed into one map per frame and end, so that a mask
is resampled once, however far it travels, instead of being blurred at every step; and the maps are
shared by all objects. Beside each map goes its trust: 1 where every step from there to the end
passed the forward-backward test and found a pixel as bright as itself, falling to 0 where one did
not (hidden, out of frame, lost). Brightness is asked too because the two flows agree, on nothing
moving, where an object has just left the frame.

The two propagations are fused per pixel, weighted by nearness in time and by trust: what one end
cannot see (uncovered or entering parts) the other can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.flow import Flow, consistent, flow, warp
from experts.masks.geometry import Mask

Soft = NDArray[np.float32]
"""[H, W], 0–1."""

LEAST_TRUST = 0.05
"""A pixel neither end can vouch for is still decided, by nearness in time alone."""


CHANGE = 20.0
"""Grey levels, 0–255, after a blur of 1 px: more is not the same pixel one frame later."""


@dataclass(frozen=True, slots=True)
class FlowStep:
    """The way between two neighbouring frames: flows px [H, W, 2], trusts 0 or 1 [H, W]."""

    ahead: Flow  # from the earlier to the later
    back: Flow
    ahead_trust: Soft
    back_trust: Soft


def trace(frames: Sequence[NDArray[np.uint8]]) -> list[FlowStep]:
    """The steps between neighbouring `frames`, uint8 RGB [H, W, 3] each."""
    steps = []
    for a, b in pairwise(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames):
        ahead, back = flow(a, b), flow(b, a)
        steps.append(FlowStep(ahead, back, _trust(a, b, ahead, back), _trust(b, a, back, ahead)))
    return steps


class Span:
    """A stretch of frames, first and last included, joined by at least one step.

    Its maps hold 24 bytes per pixel and frame (80 MB for 17 frames of 592×336) until dropped.
    """

    def __init__(self, steps: Sequence[FlowStep]) -> None:
        self.length = len(steps) + 1
        height, width = steps[0].ahead.shape[:2]
        still = np.zeros((height, width, 2), np.float32)
        certain = np.ones((height, width), np.float32)
        self._to_first: list[Flow] = [still]
        self._first_trust: list[Soft] = [certain]
        self._to_last: list[Flow] = [still]
        self._last_trust: list[Soft] = [certain]
        for step in steps:
            self._first_trust.append(step.back_trust * warp(self._first_trust[-1], step.back))
            self._to_first.append(step.back + warp(self._to_first[-1], step.back))
        for step in reversed(steps):
            self._last_trust.append(step.ahead_trust * warp(self._last_trust[-1], step.ahead))
            self._to_last.append(step.ahead + warp(self._to_last[-1], step.ahead))
        self._to_last.reverse()
        self._last_trust.reverse()
        # From here on only where a pixel lies at the ends is asked, not how far it went.
        rows, columns = np.indices((height, width), dtype=np.float32, sparse=True)
        for place in (*self._to_first[1:], *self._to_last[:-1], still):
            place[..., 0] += columns
            place[..., 1] += rows

    def from_first(self, mask: Mask, index: int) -> tuple[Soft, Soft]:
        """(mask, trust) at frame `index` of the span, carried from its first frame."""
        return _carry(mask, self._to_first[index]), self._first_trust[index]

    def from_last(self, mask: Mask, index: int) -> tuple[Soft, Soft]:
        """(mask, trust) at frame `index` of the span, carried from its last frame."""
        return _carry(mask, self._to_last[index]), self._last_trust[index]

    def fuse(self, index: int, first: tuple[Soft, Soft], last: tuple[Soft, Soft]) -> Soft:
        """One mask from both propagations to frame `index`."""
        share = index / (self.length - 1)
        near_first = (1 - share) * np.maximum(first[1], LEAST_TRUST)
        near_last = share * np.maximum(last[1], LEAST_TRUST)
        soft = (near_first * first[0] + near_last * last[0]) / (near_first + near_last)
        return np.asarray(soft, dtype=np.float32)


def _trust(a: NDArray[np.uint8], b: NDArray[np.uint8], ahead: Flow, back: Flow) -> Soft:
    """1 at the pixels of `a` that can be followed to `b`, 0 elsewhere."""
    change = cv2.absdiff(
        cv2.GaussianBlur(a, (0, 0), 1), warp(cv2.GaussianBlur(b, (0, 0), 1), ahead)
    )
    return np.asarray(consistent(ahead, back) & (change <= CHANGE), dtype=np.float32)


def _carry(mask: Mask, places: NDArray[np.float32]) -> Soft:
    # 8 bits are plenty for a mask and quicker to sample than floats.
    source = mask.astype(np.uint8) * 255
    soft = cv2.remap(source, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(soft, dtype=np.float32) / np.float32(255)
