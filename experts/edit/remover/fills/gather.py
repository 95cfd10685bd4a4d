"""Samples of the background that other frames show at the pixels hidden in one frame.

From every hidden pixel, and from a ring of known pixels around the hole, the background flow is
followed frame by frame in both directions. The ring tells how good a frame's samples are: there the
truth is known, so the drift of the chained flow, the change of brightness and the remaining error
can be measured, and the first two corrected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Frames, Masks
from experts.edit.remover.background_flow import BackgroundFlow

# Set by hand and measured by infra/bench/removal/run.py; gray values are of 255.
RING_PX = 12  # width of the ring of known pixels around the hole
RING_GAP_PX = 2  # its distance from the hole: gradients there need known neighbours
ROW = (
    256  # remap takes no map longer than 32767, so pixel lists are reshaped to rows of this length
)
MAX_DRIFT_PX = 0.75  # largest drift that is corrected
DRIFT_PRIOR = 2e3  # gray² px⁻², Tikhonov regularization of the estimated drift
MIN_DRIFT_PX = 0.02  # smaller corrections are not worth sampling again
MAX_BRIGHTNESS_CHANGE = 24.0  # gray values between two frames; more is taken for an error
OUTLIER = 20.0  # gray values; larger differences on the ring show another object
MIN_RING_PIXELS = 200  # needed to measure drift or brightness
MAX_MASKED = 0.02  # a sample more than this under a mask (bilinear weight) is hidden
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


@dataclass(frozen=True, slots=True)
class PixelSet:
    """Pixels of one frame: the hidden ones first, row by row, then those of the ring."""

    x: NDArray[np.float32]  # [N]
    y: NDArray[np.float32]
    hidden: int  # the first `hidden` pixels are to be filled

    def averaged(self, values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        """`values` [N] averaged over each pixel's neighbours in the set (Gaussian, px)."""
        y, x = self.y.astype(int), self.x.astype(int)
        place = y - y.min(), x - x.min()
        both = np.zeros((2, int(np.ptp(self.y)) + 1, int(np.ptp(self.x)) + 1), np.float32)
        both[0][place], both[1][place] = values, 1
        total, weight = (cv2.GaussianBlur(image, (0, 0), sigma) for image in both)
        return np.asarray(total[place] / weight[place], dtype=np.float32)

    def put(
        self, frame: NDArray[np.uint8], colour: NDArray[np.float32], valid: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Write `colour` [N, 3] of the `valid` [N] hidden pixels into `frame`; where, [H, W]."""
        use = valid[: self.hidden]
        where = self.where(valid, frame.shape[:2])
        frame[where] = np.clip(np.rint(colour[: self.hidden][use]), 0, 255).astype(np.uint8)
        return where

    def where(self, valid: NDArray[np.bool_], size: tuple[int, ...]) -> NDArray[np.bool_]:
        """The `valid` [N] among the hidden pixels as a mask of `size` (height, width)."""
        use = valid[: self.hidden]
        mask = np.zeros(size, bool)
        mask[self.y[: self.hidden][use].astype(int), self.x[: self.hidden][use].astype(int)] = True
        return mask


@dataclass(frozen=True, slots=True)
class PixelSamples:
    """K samples of each of the N pixels of a set, the nearest frames' first."""

    colour: NDArray[np.float32]  # [K, N, 3]
    seen: NDArray[np.bool_]  # [K, N]: inside that frame and not hidden in it
    error: NDArray[np.float32]  # [K]: mean squared difference on the ring, gray²
    offset: NDArray[np.int16]  # [K]: frames from the pixels' own to the sample's


def hole_and_ring(
    hole: NDArray[np.bool_], unknown: NDArray[np.bool_] | None = None, stride: int = 1
) -> PixelSet:
    """The pixels of `hole` [H, W] and of the ring around it, without what is `unknown` [H, W]; of
    every `stride`-th row and column only."""
    gap, reach = (
        cv2.dilate(hole.astype(np.uint8), disc(radius)) > 0
        for radius in (RING_GAP_PX, RING_GAP_PX + RING_PX)
    )
    hole_y, hole_x = np.nonzero(hole[::stride, ::stride])
    ring = reach & ~gap if unknown is None else reach & ~gap & ~unknown
    ring_y, ring_x = np.nonzero(ring[::stride, ::stride])
    return PixelSet(
        np.concatenate([hole_x, ring_x]).astype(np.float32) * stride,
        np.concatenate([hole_y, ring_y]).astype(np.float32) * stride,
        len(hole_x),
    )


def disc(radius: int) -> NDArray[np.uint8]:
    """A round structuring element of `radius` px."""
    kernel: NDArray[np.uint8] = cv2.getStructuringElement(
        cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)
    )
    return kernel


def sample(
    image: NDArray[Any], x: NDArray[np.float32], y: NDArray[np.float32], interpolation: int
) -> NDArray[np.float32]:
    """`image` [H, W] or [H, W, C] at the points (x, y) [N], float32 [N, C]; the border repeats."""
    n = len(x)
    if n == 0:
        return np.zeros((0, 1 if image.ndim == 2 else image.shape[2]), np.float32)
    rows = -(-n // ROW)
    px, py = np.zeros((2, rows * ROW), np.float32)
    px[:n], py[:n] = x, y
    out = cv2.remap(
        image,
        px.reshape(rows, ROW),
        py.reshape(rows, ROW),
        interpolation,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(out.reshape(rows * ROW, -1)[:n], dtype=np.float32)


def inside_frame(
    x: NDArray[np.float32], y: NDArray[np.float32], size: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Which points (x, y) lie in a frame of `size` (height, width)."""
    return (x >= 0) & (x <= size[1] - 1) & (y >= 0) & (y <= size[0] - 1)


def followed(
    background: BackgroundFlow,
    t: int,
    sign: int,
    x: NDArray[np.float32],
    y: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where the points (x, y) [N] of frame `t` lie in the next one (`sign` 1) or the one before
    (-1)."""
    flow, still = background.step(t, sign)
    if still:
        return x, y
    step = sample(flow, x, y, cv2.INTER_LINEAR)
    return x + step[:, 0], y + step[:, 1]


def gather(
    t: int,
    pixels: PixelSet,
    frames: Frames,
    holes: Masks,
    background: BackgroundFlow,
    offsets: tuple[int, ...],
) -> PixelSamples:
    """Samples for the pixels of frame `t` from the frames `offsets` before and after it, which show
    them outside their `holes` [T, H, W]."""
    n, ring = len(pixels.x), slice(pixels.hidden, None)
    target = sample(frames[t], pixels.x[ring], pixels.y[ring], cv2.INTER_NEAREST)
    gradient = _gradient(frames[t], pixels.x[ring], pixels.y[ring])
    basis = _affine_basis(pixels)
    system = _drift_system(basis[ring], gradient)
    found: list[tuple[int, NDArray[np.float32], NDArray[np.bool_], float]] = []  # by offset
    for sign in (1, -1):
        x, y = pixels.x, pixels.y
        inside = np.ones(n, bool)
        for k in range(1, max(offsets) + 1):
            s = t + sign * k
            if not 0 <= s < len(frames):
                break
            x, y = followed(background, s - sign, sign, x, y)
            inside &= inside_frame(x, y, frames.shape[1:3])
            if not inside.any():
                break
            if k not in offsets:
                continue
            hidden = sample(holes[s].view(np.uint8) * np.uint8(255), x, y, cv2.INTER_LINEAR)[:, 0]
            seen = inside & (hidden <= 255 * MAX_MASKED)
            on_ring = sample(frames[s], x[ring], y[ring], cv2.INTER_CUBIC)
            drift = _drift(_luma(target - on_ring), seen[ring], system, basis)
            if np.abs(drift).max() > MIN_DRIFT_PX:
                x, y = x + drift[:, 0], y + drift[:, 1]
            colour = sample(frames[s], x, y, cv2.INTER_CUBIC)
            change, error = _brightness_change((target - colour[ring])[seen[ring]])
            found.append((sign * k, colour + change, seen, error))
    found.sort(key=lambda sample: abs(sample[0]))
    return PixelSamples(
        np.array([colour for _, colour, _, _ in found], np.float32).reshape(-1, n, 3),
        np.array([seen for _, _, seen, _ in found], bool).reshape(-1, n),
        np.array([error for *_, error in found], np.float32),
        np.array([offset for offset, *_ in found], np.int16),
    )


def _luma(colour: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(colour @ LUMA, dtype=np.float32)


def _gradient(
    frame: NDArray[np.uint8], x: NDArray[np.float32], y: NDArray[np.float32]
) -> NDArray[np.float32]:
    """d luma / d(x, y) at the points, [N, 2]."""
    luma = cv2.GaussianBlur(_luma(frame.astype(np.float32)), (3, 3), 0)
    both = [cv2.Sobel(luma, cv2.CV_32F, i, 1 - i, scale=1 / 8) for i in (1, 0)]
    return np.concatenate([sample(g, x, y, cv2.INTER_NEAREST) for g in both], axis=1)


def _affine_basis(pixels: PixelSet) -> NDArray[np.float32]:
    """x, y (both about -1 to 1 over the set) and 1, [N, 3]."""
    reach = max(float(np.ptp(pixels.x)), float(np.ptp(pixels.y)), 1.0) / 2
    centred = ((v - v.mean()) / reach for v in (pixels.x, pixels.y))
    return np.stack([*centred, np.ones_like(pixels.x)], axis=1)


def _drift_system(basis: NDArray[np.float32], gradient: NDArray[np.float32]) -> NDArray[np.float32]:
    """How luma at M points changes with each of six numbers of an affine displacement and with
    brightness, [M, 7], by their `basis` [M, 3] and `gradient` [M, 2]."""
    return np.concatenate([basis * gradient[:, :1], basis * gradient[:, 1:], basis[:, 2:]], axis=1)


def _drift(
    difference: NDArray[np.float32],
    seen: NDArray[np.bool_],
    system: NDArray[np.float32],
    basis: NDArray[np.float32],
) -> NDArray[np.float32]:
    """An affine displacement of the whole set, [N, 2] px, that makes the ring fit better.

    One step of Lucas-Kanade with a change of brightness (Baker & Matthews, IJCV 2004) over the ring
    pixels that are `seen` and not outliers; at most `MAX_DRIFT_PX` anywhere.
    """
    none = np.zeros((len(basis), 2), np.float32)
    if seen.sum() < MIN_RING_PIXELS:
        return none
    use = seen & (np.abs(difference - np.median(difference[seen])) < OUTLIER)
    if use.sum() < MIN_RING_PIXELS:
        return none
    system = system[use]
    normal = system.T @ system
    normal[range(6), range(6)] += DRIFT_PRIOR
    solution = np.linalg.solve(normal, system.T @ difference[use]).astype(np.float32)
    drift = basis @ solution[:6].reshape(2, 3).T
    largest = float(np.abs(drift).max())
    return np.asarray(drift * min(1.0, MAX_DRIFT_PX / max(largest, 1e-6)), np.float32)


def _brightness_change(difference: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Median [3] of the ring's differences [M, 3], and the mean squared (capped) rest."""
    if len(difference) < MIN_RING_PIXELS:
        return np.zeros(3, np.float32), OUTLIER**2
    change = np.median(difference, axis=0)
    if np.abs(change).max() > MAX_BRIGHTNESS_CHANGE:
        change = np.zeros(3, np.float32)
    rest = np.minimum(np.square(difference - change), OUTLIER**2)
    return change, float(rest.mean())
