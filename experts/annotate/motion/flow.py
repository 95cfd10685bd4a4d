"""Dense optical flow between two frames, with warping and the test of which vectors to trust.

A :class:`FlowEstimator` is what serves the slot `flow`. The usual one is DIS (Kroeger et al., "Fast
Optical Flow using Dense Inverse Search", ECCV 2016) as in OpenCV: no weights, about 10 ms at
592×336 on two cores, against seconds for a learned method. What that costs is thin structures and
large textureless areas; :func:`consistent` finds most of them.

A flow is float32 [H, W, 2] in pixels: what lies at (x, y) in `a` lies at (x + u, y + v) in `b`.
OpenCV's DIS object keeps buffers between calls, so each call makes its own (0.1 ms).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Model

Flow = NDArray[np.float32]
"""[H, W, 2], px: (u, v) to the right and down."""

FramePair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Two frames of one size, [H, W, 3] RGB or [H, W]."""

Preset = Literal["ultrafast", "fast", "medium"]

PRESETS: Mapping[Preset, int] = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}

# Sundaram, Brox, Keutzer, "Dense point trajectories by GPU-accelerated large displacement optical
# flow", ECCV 2010, eq. 5: |f + b|² < ALPHA_1 (|f|² + |b|²) + ALPHA_2.
ALPHA_1 = 0.01
ALPHA_2 = 0.5  # px²

SMALLEST_SIDE = 32
"""px; DIS needs a few patches at its coarsest level, smaller frames are padded to this."""

P = TypeVar("P", np.uint8, np.float32, np.bool_)


class FlowEstimator(Model, Protocol):
    """A provider of the slot `flow`. Inputs are never modified."""

    def flow(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Flow:
        """Flow from `a` to `b`, both uint8 [H, W, 3] RGB or [H, W]; float32 [H, W, 2] in px.
        Raises ValueError for frames of two sizes."""
        ...

    def flows(self, pairs: Sequence[FramePair]) -> list[Flow]:
        """The flow of each pair of frames; all are of one size."""
        ...


class DisFlow:
    """DIS as a provider: no weights, so there is nothing to load. `preset` is one of PRESETS."""

    name = "dis"

    def __init__(self, *, preset: Preset = "medium") -> None:
        self._preset = preset

    @property
    def version(self) -> str:
        """Of the method. A journal's keys do not depend on OpenCV's release."""
        return f"1+{self._preset}"

    def load(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def flow(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Flow:
        """See :func:`flow`."""
        return flow(a, b, self._preset)

    def flows(self, pairs: Sequence[FramePair]) -> list[Flow]:
        """The flow of each pair."""
        return [flow(a, b, self._preset) for a, b in pairs]


DIS = DisFlow()
"""What estimates a flow where nobody chose."""


def flow(a: NDArray[np.uint8], b: NDArray[np.uint8], preset: Preset = "medium") -> Flow:
    """Flow from `a` to `b`, both uint8 [H, W, 3] RGB or [H, W]; float32 [H, W, 2] in px."""
    if a.shape != b.shape:
        raise ValueError(f"flow needs two frames of one size, got {a.shape} and {b.shape}")
    height, width = a.shape[:2]
    pad_y, pad_x = max(0, SMALLEST_SIDE - height), max(0, SMALLEST_SIDE - width)
    gray_a, gray_b = _gray(a), _gray(b)
    if pad_y or pad_x:
        gray_a = cv2.copyMakeBorder(gray_a, 0, pad_y, 0, pad_x, cv2.BORDER_REPLICATE)
        gray_b = cv2.copyMakeBorder(gray_b, 0, pad_y, 0, pad_x, cv2.BORDER_REPLICATE)
    field: Flow = cv2.DISOpticalFlow.create(PRESETS[preset]).calc(gray_a, gray_b, None)
    return np.ascontiguousarray(field[:height, :width])


def _gray(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    gray: NDArray[np.uint8] = (
        cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) if frame.ndim == 3 else np.ascontiguousarray(frame)
    )
    return gray


def warp(image: NDArray[P], flow: Flow) -> NDArray[P]:
    """`image` sampled at (x + u, y + v): with the flow a → b, `warp(b, flow)` looks like a.

    Takes [H, W] or [H, W, C], uint8, float32 or bool; bilinear. A bool mask is warped as float,
    cut at one half, and False outside the frame; an image repeats its border there.
    """
    x, y = _targets(flow)
    if image.dtype == np.bool_:
        soft = cv2.remap(
            image.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )
        return np.asarray(soft >= 0.5, dtype=image.dtype)
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def consistent(
    forward: Flow, backward: Flow, alpha_1: float = ALPHA_1, alpha_2: float = ALPHA_2
) -> NDArray[np.bool_]:
    """Where `forward` (a → b) can be trusted: following it and then `backward` (b → a) leads home.

    bool [H, W] over the pixels of a; False where a pixel is hidden in b, leaves the frame, or the
    two flows disagree by more than Sundaram et al. 2010 allow (`alpha_1` unitless, `alpha_2` px²).
    """
    height, width = forward.shape[:2]
    x, y = _targets(forward)
    back = cv2.remap(backward, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    gap = _squared(forward + back)
    size = _squared(forward) + _squared(back)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return np.asarray((gap < alpha_1 * size + alpha_2) & inside)


def _squared(flow: Flow) -> NDArray[np.float32]:
    u, v = flow[..., 0], flow[..., 1]  # ten times faster than a sum over an axis of two
    return np.asarray(u * u + v * v)


def _targets(flow: Flow) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    height, width = flow.shape[:2]
    rows, columns = np.indices((height, width), dtype=np.float32, sparse=True)
    return flow[..., 0] + columns, flow[..., 1] + rows
