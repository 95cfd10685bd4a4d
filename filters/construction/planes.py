"""Two sides held against each other frame by frame: where they agree, and whether only there.

Both sides are brought to one small size and to a band of spatial frequencies in which they should
show the same thing. Their correlation alone says little, since any two maps of streets resemble
each other: what a right pair has and no wrong one is that the correlation is highest with nothing
displaced and with the frame of the same moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.base import Frames

SIDE = 192
"""px, long side, at which two sides are compared: above it codec loss, below it lost lines."""

CHROMA_SIDE = 64
"""px, long side, at which colour is looked at: video files hold it at half size, and coarsely."""

NEAR = 0.025
"""Share of the long side within which a match counts as undisplaced."""

FROZEN = "frozen"
OUT_OF_TIME = "out_of_time"
FLICKER = "flicker"

FAR = 0.06
"""Share of the long side from which on a displaced match counts as one elsewhere."""

Planes = NDArray[np.float32]
"""[T, h, w]."""


FAINT = 0.1
"""Of the footage's median contrast in the band: a frame with less (a fade, a flash) shows too
little to be held against anything."""

STILL = 0.998
"""Correlation of neighbouring frames from which the made side stands still between them: footage
that moved enough to be told out of time lies below, frames repeated and encoded above."""


LOST = 0.4
"""Of the clip's upper quartile of correlations: a frame with less is blank, or shows something
else. Of right pairs the least was .7."""

LATE = 0.15
"""Share of the frames that may agree better with another moment: a turning wheel, say."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a right pair's Agreement keeps to; measured per kind of edit."""

    least: float  # mean of `together`
    distinct: float  # least
    displaced: float  # most
    astray: float  # most, but in LATE of the frames


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two sides' bands agree. Frames in which the footage is FAINT are left out of [n].

    `together` [n]: correlation of simultaneous frames, −1…1. `distinct`: over all frames, by how
    many deviations of the correlations elsewhere the undisplaced one exceeds their mean.
    `displaced`: distance of the best match from no displacement, share of the long side. `astray`
    [n]: how much better the best match at another moment is. `still` [n]: correlation of the made
    side's frame with the one before.
    """

    together: NDArray[np.float64]
    distinct: float
    displaced: float
    astray: NDArray[np.float64]
    still: NDArray[np.float64]

    @property
    def score(self) -> float:
        """Mean correlation of simultaneous frames, −1…1."""
        return float(self.together.mean()) if len(self.together) else 0.0

    def fault(self, bounds: Bounds, mismatch: str) -> str:
        """`mismatch`, FROZEN, OUT_OF_TIME, FLICKER, or nothing if all bounds are kept."""
        late = self.astray > bounds.astray
        if late.mean() > LATE:
            elsewhen = float(np.median((self.together + self.astray)[late]))
            if elsewhen >= bounds.least:
                return FROZEN if float(np.median(self.still[late])) > STILL else OUT_OF_TIME
        agrees = self.score >= bounds.least and self.distinct >= bounds.distinct
        if not agrees or self.displaced > bounds.displaced or late.mean() > LATE:
            return mismatch
        if (self.together < LOST * np.quantile(self.together, 0.75)).any():
            return FLICKER
        return ""


def size_of(frames: Frames, side: int = SIDE) -> tuple[int, int]:
    """(width, height) of frames [T, h, w, 3] with `side` px on the longer one."""
    height, width = frames.shape[1:3]
    scale = side / max(height, width)
    return max(8, round(width * scale)), max(8, round(height * scale))


def resized(frames: NDArray, size: tuple[int, int]) -> NDArray[np.float32]:
    """Frames [T, h, w] or [T, h, w, 3] at `size` (width, height), float32."""
    shrinks = size[0] < frames.shape[2]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.stack([cv2.resize(f, size, interpolation=how) for f in frames]).astype(np.float32)


def luma(frames: NDArray) -> Planes:
    """ITU-R BT.601 luma, 0–255, of RGB [T, h, w, 3]."""
    planes = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    return np.stack(planes).astype(np.float32)


def band(planes: Planes, fine: float, coarse: float) -> Planes:
    """What lies between two Gaussian blurs of so many px (standard deviation); `fine` 0: none."""
    out = np.empty_like(planes)
    for plane, into in zip(planes, out, strict=True):
        soft = cv2.GaussianBlur(plane, (0, 0), fine) if fine else plane
        into[:] = soft - cv2.GaussianBlur(plane, (0, 0), coarse)
    return out


def agreement(made: Planes, real: Planes, same: float = 1.0) -> Agreement:
    """Of two sides' bands [T, h, w] of one size. Moments whose real frames correlate by `same` or
    more are one and the same: among them noise decides which agrees best."""
    (a, _), (b, contrast) = (_unit(planes) for planes in (made, real))
    count = len(a)
    flat_a, flat_b = a.reshape(count, -1), b.reshape(count, -1)
    times = flat_a @ flat_b.T
    together = times.diagonal()
    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count))) > 1
    others = np.where(apart & (flat_b @ flat_b.T < same), times, -1)
    astray = others.max(1) - together
    still = np.ones(count)
    still[1:] = (flat_a[1:] * flat_a[:-1]).sum(1)
    shown = contrast >= FAINT * np.median(contrast)
    distinct, displaced = _place(a, b)
    return Agreement(
        together[shown].astype(np.float64), distinct, displaced, astray[shown], still[shown]
    )


def _place(made: Planes, real: Planes) -> tuple[float, float]:
    """`distinct` and `displaced` of unit planes, from their cross-correlation over all frames."""
    size = made.shape[1:]
    product = np.fft.rfft2(made) * np.fft.rfft2(real).conj()
    places = np.fft.irfft2(product.mean(0), size)
    ys, xs = (np.minimum(np.arange(n), n - np.arange(n)) for n in size)
    away = np.hypot(ys[:, None], xs[None]) / max(size)
    elsewhere = places[away > FAR]
    near = float(places[away <= NEAR].max())
    distinct = (near - float(elsewhere.mean())) / max(float(elsewhere.std()), 1e-6)
    return distinct, float(away.ravel()[places.argmax()])


def _unit(planes: Planes) -> tuple[Planes, NDArray[np.float32]]:
    """Frames of mean 0 and length 1, and the lengths [T] they had."""
    centred = planes - planes.mean((1, 2), keepdims=True)
    length = np.sqrt((centred**2).sum((1, 2)))
    return np.asarray(centred / np.maximum(length, 1e-6)[:, None, None], np.float32), length


def chroma(frames: Frames) -> float:
    """Levels of colour that no single tint explains: root mean square of both colour differences
    less what is linear in luma (sepia is stronger where it is lighter)."""
    small = resized(frames, size_of(frames, CHROMA_SIDE))
    light = luma(small).ravel()
    known = np.stack([np.ones_like(light), light], axis=1)
    rest = []
    for channel in (2, 0):
        difference = small[..., channel].ravel() - light
        tint = np.linalg.lstsq(known, difference, rcond=None)[0]
        rest.append(difference - known @ tint)
    return float(np.sqrt(np.mean(rest[0] ** 2 + rest[1] ** 2)))


def jumps(made: Frames, real: Frames) -> float:
    """Levels by which the made side's mean light jumps between frames more than the real side's,
    or less, at the worst."""
    steps = [np.diff(luma(resized(side, (16, 16))).mean((1, 2))) for side in (made, real)]
    return float(np.max(np.abs(steps[0] - steps[1]) - np.abs(steps[1]) / 2, initial=0))
