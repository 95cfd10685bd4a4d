"""What stands still behind all that moves, over a stretch of a shot whose camera stands.

A clip of some seconds shows little of what its objects hide; the shot around it, which may last for
minutes, shows nearly all. The median over frames far apart in time is what stood there for most of
it (as in background subtraction: Lo and Velastin, ISIMP 2001).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from catalog.media.image import Transparent

Frame = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SAMPLES = 15
"""Frames that the median is taken over, if they are not too large."""

HELD_BYTES = 256 << 20
"""Of frames that are held for it: ten of 2160p."""

LEAST_SAMPLES = 8
"""Of fewer, one object that pauses could be the median."""

STRETCH = 60.0
"""Seconds that one background holds for at most: light changes."""

TOLERANCE = 12
"""Levels of 255 in any channel by which a frame may be off the median and still show it: noise and
coding."""

AGREEING = 0.6
"""Share of the samples that must show the median for it to be background."""

OUTERMOST = 3
"""Samples at the beginning, and at the end, of which one must show it as well: what has left, or
has come to stay, is shown by most samples but not by these. Of two, more is lost to people who move
on the spot than is won; what leaves within the last eighth is still taken for background
(infra/bench/results/removal.md)."""

SAME_VIEW = 0.7
"""Share of the picture in which a sample must show the median; one that shows less is of another
light, or of before the camera came to rest, and tells nothing of a place. Of five sources whose
camera stands samples show .82 and more, before it does .55 to .69."""

STANDING = 0.8
"""Share of the picture that must be background for the camera to have stood."""

FITTING = 0.85
"""Share of the background that a clip's own frames must show: fewer do where the light has changed
or the camera was knocked (measured, infra/bench/results/removal.md); the rest may be objects."""

LONGER = 2.0
"""Times a clip's length that a stretch must have to show more than the clip itself."""

ALIKE = 20
"""Levels of 255 in every channel within which an object and the background show the same."""

MOST_ALIKE = 0.5
"""Share of the object's pixels: above it, the object stood there most of the time and is part of
the background."""

EVERY = 4
"""Of so many rows and columns one tells whether the camera stood, of so many frames one whether an
object did."""

GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of it, modulo 1, are spread evenly and never repeat."""

_ROWS = 64  # sorted at once


def still_background(samples: Sequence[Frame]) -> Transparent | None:
    """The median of `samples`, [H, W, 3] each in their order, transparent where too few of them
    show it, or it was not there at the beginning or the end; None where the camera moved."""
    _, shown = _median(np.stack([each[::EVERY, ::EVERY] for each in samples]))
    if (shown.mean(axis=0) >= AGREEING).mean() < STANDING:
        return None
    same_view = shown.mean(axis=(1, 2)) >= SAME_VIEW
    out = np.empty((*samples[0].shape[:2], 4), np.uint8)
    for row in range(0, len(out), _ROWS):
        rows = slice(row, row + _ROWS)
        median, shown = _median(np.stack([each[rows] for each in samples]))
        known = shown.mean(axis=0) >= AGREEING
        alike = shown[same_view]
        known &= alike[:OUTERMOST].any(axis=0) & alike[-OUTERMOST:].any(axis=0)
        out[rows, :, :3], out[rows, :, 3] = median, np.where(known, 255, 0)
    return out


def _median(samples: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The median [H, W, 3], and which samples show it [N, H, W]."""
    median = np.partition(samples, len(samples) // 2, axis=0)[len(samples) // 2]
    return median, _difference(samples, median) <= TOLERANCE


def shows_object(background: Transparent, frames: Iterable[Frame], masks: Iterable[Mask]) -> bool:
    """Whether the object of `masks`, [H, W] of each of the frames [H, W, 3], seems to be part of
    `background` [H, W, 4]."""
    alike = compared = 0
    known, colour = background[..., 3] == 255, background[..., :3]
    for frame, mask in zip(frames, masks, strict=True):
        inside = mask & known
        off = _difference(frame[inside], colour[inside])
        alike += int(np.count_nonzero(off <= ALIKE))
        compared += len(off)
    return alike > MOST_ALIKE * compared


def fits(background: Transparent, frame: Frame) -> bool:
    """Whether the frame shows the background, but for some objects; both of one size."""
    known = background[..., 3] == 255
    shown = (_difference(frame, background[..., :3]) <= TOLERANCE) & known
    return int(np.count_nonzero(shown)) >= FITTING * int(np.count_nonzero(known))


def _difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Levels by which the colours [..., 3] differ, in the channel in which they do most."""
    most: NDArray[np.uint8] = (np.maximum(one, other) - np.minimum(one, other)).max(axis=-1)
    return most


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Frames of one shot up to `end`, the clips in it as (first frame, frames), the frames that are
    sampled, and those by which it is seen whether the background is the clips'."""

    end: int
    clips: list[tuple[int, int]]
    sampled: frozenset[int]
    looked_at: frozenset[int]


class ShotBackgrounds:
    """The backgrounds of a video's clips, from frames that pass by anyway while they are cut."""

    def __init__(
        self,
        shots: Sequence[tuple[int, int]],
        clips: Sequence[tuple[int, int]],
        fps: float,
        size: tuple[int, int],
        found: Callable[[list[tuple[int, int]], Transparent], None],
    ) -> None:
        """`shots` are (first frame, end), `clips` (first frame, frames), both in order; `size` is
        the frames' (height, width). `found` is told of each background, and of the clips that it is
        the background of."""
        samples = min(SAMPLES, HELD_BYTES // (3 * size[0] * size[1]))
        self._stretches = [
            each for shot in shots for each in _stretches(*shot, clips, fps, samples)
        ]
        self._found = found
        self._samples: list[Frame] = []
        self._small: dict[int, Frame] = {}  # by number, every few rows and columns

    def watching(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The same frames, from the video's first on."""
        for number, frame in enumerate(frames):
            while self._stretches and number >= self._stretches[0].end:
                self.finish()
            if self._stretches and number in self._stretches[0].sampled:
                self._samples.append(frame.copy())
            if self._stretches and number in self._stretches[0].looked_at:
                self._small[number] = frame[::EVERY, ::EVERY].copy()
            yield frame

    def finish(self) -> None:
        """No more frames of this stretch are coming."""
        if not self._stretches:
            return
        clips, samples, small = self._stretches.pop(0).clips, self._samples, self._small
        self._samples, self._small = [], {}
        background = still_background(samples) if len(samples) >= LEAST_SAMPLES else None
        if background is None:
            return
        shown = background[::EVERY, ::EVERY]
        fitting = [
            clip
            for clip in clips
            if all(fits(shown, small[number]) for number in _looks(clip) if number in small)
        ]
        if fitting:
            self._found(fitting, background)


def _looks(clip: tuple[int, int]) -> tuple[int, int, int]:
    """The numbers of a clip's first, middle and last frame."""
    first, count = clip
    return first, first + count // 2, first + count - 1


def _stretches(
    first: int, end: int, clips: Sequence[tuple[int, int]], fps: float, samples: int
) -> Iterator[_Stretch]:
    """The shot in parts of at most :data:`STRETCH`, those that have clips and last longer."""
    count = max(1, math.ceil((end - first) / fps / STRETCH))
    bounds = np.linspace(first, end, count + 1).round().astype(int).tolist()
    for low, high in pairwise(bounds):
        own = [clip for clip in clips if low <= clip[0] + clip[1] // 2 < high]
        if own and high - low >= LONGER * max(frames for _, frames in own):
            # Not evenly spaced: what comes and goes at their rate would seem to stand still.
            numbers = np.arange(samples)
            middles = low + (numbers + (numbers * GOLDEN + 0.5) % 1) * (high - low) / samples
            looks = frozenset(number for clip in own for number in _looks(clip))
            yield _Stretch(high, own, frozenset(middles.astype(int).tolist()), looks)
