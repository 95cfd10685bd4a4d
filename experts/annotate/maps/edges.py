"""Edge maps: Canny, and HED (Xie & Tu, "Holistically-Nested Edge Detection", ICCV 2015)."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Frames
from experts.progress import over
from experts.threads import one_for_torch
from experts.weights import entry, fetch

if TYPE_CHECKING:
    from experts.annotate.maps.hed_network import HedNetwork

CANNY_LOW = 50.0
CANNY_HIGH = 100.0
"""Hysteresis thresholds on the L1 gradient of blurred 8-bit luma (half the pair in common use for
unblurred frames, which loses the outlines of dim or soft objects once they are blurred)."""

CANNY_SIGMA = 1.0
"""Gaussian blur before Canny, px: keeps codec noise from turning into edges."""

HED_LONG_SIDE = 480
"""The scale HED was trained at: BSDS500 images are 481×321 px."""

HED_BATCH = 2
"""Frames per forward; more are no quicker."""

CALIBRATION_FRAMES = 3
"""Of a clip, evenly spaced: those that tell the range of each layer's activations."""

RECENT = 4
"""Maps kept, 8 MB each for 64 frames: at least as many as there are workers in a process."""


def canny(
    frames: Frames,
    low: float = CANNY_LOW,
    high: float = CANNY_HIGH,
    sigma: float = CANNY_SIGMA,
) -> NDArray[np.uint8]:
    """Canny edges of each frame: [T, H, W, 3] to [T, H, W], 255 on an edge, else 0."""
    edges = np.empty(frames.shape[:3], np.uint8)
    for frame, out in zip(frames, edges, strict=True):
        luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if sigma > 0:
            luma = cv2.GaussianBlur(luma, (0, 0), sigma)
        cv2.Canny(luma, low, high, edges=out)
    return edges


class Hed:
    """HED edge maps. Thread-safe once loaded.

    The maps of the last clips are kept for all instances: a clip's edge map and its scribbles come
    of the same one.
    """

    name = "hed"
    slots = ("hed_bsds500",)
    version = f"3+{entry('hed_bsds500').sha256[:8]}"

    _recent: ClassVar[OrderedDict[str, NDArray[np.uint8]]] = OrderedDict()
    _recent_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self._network: HedNetwork | None = None
        self._loading = threading.Lock()

    def load(self) -> None:
        """Fetch and open the weights; raises EditmillError if they cannot be had."""
        with self._loading:
            if self._network is None:
                import torch  # takes seconds, and a recipe is read without it

                from experts.annotate.maps.hed_network import HedNetwork, load_keras

                one_for_torch()
                network = HedNetwork()
                load_keras(network, fetch("hed_bsds500"))
                network.eval().requires_grad_(False)
                self._network = network.to(memory_format=torch.channels_last)

    def close(self) -> None:
        """Free the weights."""
        self._network = None

    def hed(self, frames: Frames) -> NDArray[np.uint8]:
        """Edge strength of each frame: [T, H, W, 3] to [T, H, W], 0–255.

        Computed at `HED_LONG_SIDE` (smaller frames at their own size), then resized to the frame.
        """
        if not len(frames):
            return np.empty(frames.shape[:3], np.uint8)
        height, width = frames.shape[1:3]
        scale = min(1.0, HED_LONG_SIDE / max(height, width))
        inner = (round(width * scale), round(height * scale))
        small = np.stack([cv2.resize(f, inner, interpolation=cv2.INTER_AREA) for f in frames])
        edges = np.empty(frames.shape[:3], np.uint8)
        for strength, out in zip(self._remembered(small), edges, strict=True):
            cv2.resize(strength, (width, height), dst=out, interpolation=cv2.INTER_LINEAR)
        return edges

    def _remembered(self, frames: Frames) -> NDArray[np.uint8]:
        key = f"{frames.shape}{hashlib.blake2b(frames.tobytes()).hexdigest()}"
        with self._recent_lock:
            if key in self._recent:
                self._recent.move_to_end(key)
                return self._recent[key]
        found = self._computed(frames)
        with self._recent_lock:
            self._recent[key] = found
            while len(self._recent) > RECENT:
                self._recent.popitem(last=False)
        return found

    def _computed(self, frames: Frames) -> NDArray[np.uint8]:
        """At the frames' own size, in 8-bit integers where the CPU is made for them.

        The version does not say which: a build that moves to another machine goes on there, and
        edges that differ by half a level are the same product. Bytes are one machine's.
        """
        import torch

        from experts.annotate.maps import hed_int8
        from experts.annotate.maps.hed_network import less_mean

        self.load()
        network = self._network
        assert network is not None
        images = torch.from_numpy(frames[..., ::-1].copy()).permute(0, 3, 1, 2)
        edges = np.empty(frames.shape[:3], np.uint8)
        with torch.inference_mode():
            chosen = np.unique(np.linspace(0, len(frames) - 1, CALIBRATION_FRAMES).astype(int))
            small = network.in_bytes(images[chosen]) if hed_int8.supported() else None
            batches = range(0, len(frames), HED_BATCH)
            for first in over(batches, "finding edges, by batch", len(batches)):
                batch = images[first : first + HED_BATCH]
                strength = (network(less_mean(batch)) if small is None else small(batch))[:, 0]
                edges[first : first + HED_BATCH] = strength.mul_(255).round_().byte().numpy()
        return edges
