"""The small pictures of a clip that its camera's path and its caption are made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from experts.annotate.captions.subject import focus_size, shrunk
from experts.annotate.frame_stream import Frame
from experts.annotate.motion.statistics import working_size
from experts.base import Frames

LOOKS = 3
"""Frames, evenly spaced, on which sharpness is measured."""


class Preview:
    """Of a clip of T frames of `height` × `width` px, filled while the frames go by.

    `frames` [T, h, w, 3] are all of them at the working size of
    :mod:`experts.annotate.motion.statistics`; `looks` are the numbers of a few, and `sharp` those
    at the size at which sharpness is measured.
    """

    def __init__(self, count: int, height: int, width: int) -> None:
        self.size = height, width
        self._working = working_size(width, height)
        self.frames: Frames = np.zeros((count, *self._working, 3), np.uint8)
        numbers = np.linspace(0, max(count - 1, 0), LOOKS).round().astype(int)
        self.looks: list[int] = np.unique(numbers).tolist() if count else []
        self.sharp: list[Frame] = []

    @classmethod
    def of(cls, frames: Frames) -> Preview:
        """Of frames [T, H, W, 3] that are all there."""
        preview = cls(*frames.shape[:3])
        for _ in preview.watch(frames):
            pass
        return preview

    def watch(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """`frames` [H, W, 3], each looked at."""
        for number, frame in enumerate(frames):
            self.frames[number] = shrunk(frame, self._working)
            if number in self.looks:
                self.sharp.append(shrunk(frame, focus_size(*self.size)))
            yield frame
