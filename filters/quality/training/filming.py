"""The same footage as another camera, lens or light would have filmed it: by physical operations,
alike on all frames, so that few sources give more kinds of footage."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from experts.base import Frames

Filming = Callable[[Frames, np.random.Generator], Frames]


def _as_it_is(frames: Frames, rng: np.random.Generator) -> Frames:
    return frames


def _grainy(frames: Frames, rng: np.random.Generator) -> Frames:
    """A sensor's noise at high gain: 3 to 9 levels of 255, a little coarser than a pixel."""
    noise = rng.normal(0, rng.uniform(3, 9), frames.shape).astype(np.float32)
    coarse = np.stack([cv2.GaussianBlur(n, (0, 0), 0.6) for n in noise])
    return _levels(frames + 1.6 * coarse)  # blurring takes that much of the deviation away


def _monochrome(frames: Frames, rng: np.random.Generator) -> Frames:
    grey = frames @ np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
    return _levels(np.repeat(grey[..., None], 3, axis=-1))


def _dark(frames: Frames, rng: np.random.Generator) -> Frames:
    """Two or three stops too little light, with the noise that comes with it."""
    linear = (frames.astype(np.float32) / 255) ** 2.2 * rng.uniform(0.12, 0.3)
    noise = rng.normal(0, 2.0, frames.shape).astype(np.float32)
    return _levels(255 * linear ** (1 / 2.2) + noise)


def _overexposed(frames: Frames, rng: np.random.Generator) -> Frames:
    """One or two stops too much: highlights burn out."""
    linear = (frames.astype(np.float32) / 255) ** 2.2 * rng.uniform(2, 4)
    return _levels(255 * np.minimum(linear, 1) ** (1 / 2.2))


def _soft(frames: Frames, rng: np.random.Generator) -> Frames:
    """Out of focus, or scaled up by whoever published it."""
    sigma = float(rng.uniform(0.8, 2.0))
    return np.stack([cv2.GaussianBlur(f, (0, 0), sigma) for f in frames])


FILMINGS: Mapping[str, Filming] = {
    "as it is": _as_it_is,
    "grainy": _grainy,
    "monochrome": _monochrome,
    "dark": _dark,
    "overexposed": _overexposed,
    "soft": _soft,
}


def filmed(frames: Frames, rng: np.random.Generator, as_it_is: float = 0.5) -> Frames:
    """Frames uint8 [T, h, w, 3], left alone with the probability `as_it_is`."""
    name = "as it is" if rng.random() < as_it_is else str(rng.choice(list(FILMINGS)[1:]))
    return FILMINGS[name](frames, rng)


def _levels(values: np.ndarray) -> Frames:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
