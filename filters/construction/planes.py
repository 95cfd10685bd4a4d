"""How two sides agree frame by frame: by correlation, in place and in time.

Both sides are scaled to one small size and filtered to a band of spatial frequencies in which they
should show the same thing. Their correlation alone says little, since any two maps of streets
resemble each other. Of a right pair, and of no wrong one, the correlation is highest without
displacement and between frames of the same moment.
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
"""Share of the footage's median contrast in the band: a frame with less (a fade, a flash) shows too
little to be compared."""

STATIC = 0.998
"""Correlation of neighbouring frames from which the made side is static between them: where footage
moves enough for another moment to be recognised it lies below, where a frame is repeated above."""

LOST = 0.4
"""Share of the clip's upper quartile of correlations: a frame with less is blank, or shows
something else. Of right pairs the least was .7."""

LATE = 0.15
"""Share of the frames that may agree better with another moment: a turning wheel, say."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Within which a right pair's agreement lies; measured per kind of edit."""

    agreement: float  # least mean of `simultaneous`
    distinct: float  # least
    displaced: float  # most
    astray: float  # most, but in LATE of the frames


@dataclass(frozen=True, slots=True)
class BandAgreement:
    """How two sides' bands agree. Frames in which the footage is FAINT are left out of [n].

    `simultaneous` [n]: correlation of frames of the same moment, −1…1. `distinct`: by how many
    standard deviations the correlation without displacement exceeds the mean of those displaced by
    FAR or more, over all frames. `displaced`: at which displacement the correlation is highest,
    share of the long side. `astray` [n]: by how much the highest correlation with a frame of
    another moment exceeds that of the same moment. `static` [n]: correlation of the made side's
    frame with the one before.
    """

    simultaneous: NDArray[np.float64]
    distinct: float
    displaced: float
    astray: NDArray[np.float64]
    static: NDArray[np.float64]

    @property
    def score(self) -> float:
        """Mean correlation of simultaneous frames, −1…1."""
        return float(self.simultaneous.mean()) if len(self.simultaneous) else 0.0

    def fault(self, bounds: Bounds, mismatch: str) -> str:
        """`mismatch`, FROZEN, OUT_OF_TIME, FLICKER, or nothing if all bounds are kept."""
        late = self.astray > bounds.astray
        if late.mean() > LATE:
            at_other_moment = float(np.median((self.simultaneous + self.astray)[late]))
            if at_other_moment >= bounds.agreement:
                return FROZEN if float(np.median(self.static[late])) > STATIC else OUT_OF_TIME
        agrees = self.score >= bounds.agreement and self.distinct >= bounds.distinct
        if not agrees or self.displaced > bounds.displaced or late.mean() > LATE:
            return mismatch
        if (self.simultaneous < LOST * np.quantile(self.simultaneous, 0.75)).any():
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
    """Planes [T, h, w] between two Gaussian blurs of `fine` and `coarse` px (standard deviation);
    `fine` 0: no upper limit of frequency."""
    out = np.empty_like(planes)
    for plane, into in zip(planes, out, strict=True):
        soft = cv2.GaussianBlur(plane, (0, 0), fine) if fine else plane
        into[:] = soft - cv2.GaussianBlur(plane, (0, 0), coarse)
    return out


def agreement(made: Planes, real: Planes, same: float = 1.0) -> BandAgreement:
    """Of two sides' bands [T, h, w] of one size. Moments whose real frames correlate by `same` or
    more count as one: among them noise decides which agrees best."""
    (a, _), (b, contrast) = (_unit(planes) for planes in (made, real))
    count = len(a)
    flat_a, flat_b = a.reshape(count, -1), b.reshape(count, -1)
    times = flat_a @ flat_b.T
    simultaneous = times.diagonal()
    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count))) > 1
    others = np.where(apart & (flat_b @ flat_b.T < same), times, -1)
    astray = others.max(1) - simultaneous
    static = np.ones(count)
    static[1:] = (flat_a[1:] * flat_a[:-1]).sum(1)
    shown = contrast >= FAINT * np.median(contrast)
    distinct, displaced = _place(a, b)
    return BandAgreement(
        simultaneous[shown].astype(np.float64), distinct, displaced, astray[shown], static[shown]
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
    """Greatest difference, levels of 255, of the two sides' changes of mean luma between frames."""
    steps = [np.diff(luma(resized(side, (16, 16))).mean((1, 2))) for side in (made, real)]
    return float(np.max(np.abs(steps[0] - steps[1]) - np.abs(steps[1]) / 2, initial=0))
