"""Shot boundaries with TransNet V2 (Souček & Lokoč, "TransNet V2: An effective deep network
architecture for fast shot transition detection", 2020)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from experts.base import Frames
from experts.threads import one_for_torch
from experts.weights import entry, fetch

if TYPE_CHECKING:
    from experts.annotate.transnetv2 import TransNetV2

INPUT_SIZE = (27, 48)
"""Height and width, px, of the frames the network was trained on."""

WINDOW = 100
MARGIN = 25
"""Frames per forward, and how many at either end only lend context: 50 predictions a window."""

THRESHOLD = 0.5
"""Transition probability above which a frame belongs to a cut; the authors' default."""


class ShotDetector:
    """Cuts a video into shots. Thread-safe once loaded."""

    name = "transnetv2"
    slots = ("transnetv2",)

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self.threshold = threshold
        self.version = f"1+{entry('transnetv2').sha256[:8]}"
        self._network: TransNetV2 | None = None
        self._loading = threading.Lock()

    def load(self) -> None:
        """Fetch and open the weights; raises EditmillError if they cannot be had."""
        with self._loading:
            if self._network is None:
                import torch  # takes seconds, and a recipe is read without it

                from experts.annotate.transnetv2 import TransNetV2

                one_for_torch()
                network = TransNetV2()
                state = torch.load(fetch("transnetv2"), map_location="cpu", weights_only=True)
                network.load_state_dict(state)
                network.eval().requires_grad_(False)
                self._network = network

    def close(self) -> None:
        """Free the weights."""
        self._network = None

    def shots(self, frames: Iterable[NDArray[np.uint8]]) -> list[tuple[int, int]]:
        """(first, last_exclusive) of each shot, in order; together they cover the video but for the
        frames inside gradual transitions. Frames are [27, 48, 3] RGB."""
        return split(self.transitions(frames), self.threshold)

    def transitions(self, frames: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Probability, per frame, that a shot ends there; frames are [27, 48, 3] RGB."""
        self.load()
        network = self._network
        assert network is not None
        import torch

        found = [np.zeros(0, np.float32)]
        for window, valid in windows(frames):
            with torch.inference_mode():
                one, _ = network(torch.from_numpy(window)[None])
            found.append(torch.sigmoid(one)[0, MARGIN : MARGIN + valid].numpy())
        return np.concatenate(found)


def windows(frames: Iterable[NDArray[np.uint8]]) -> Iterator[tuple[Frames, int]]:
    """Windows of 100 frames that advance by 50, and how many of each one's middle are real.

    Each frame is in the middle of exactly one window. The ends of the video are padded with copies
    of its first and last frame. Holds at most one window.
    """
    stride = WINDOW - 2 * MARGIN
    held: list[NDArray[np.uint8]] = []
    ahead = 0  # real frames held that no window has had in its middle yet
    for frame in frames:
        if not held:
            held = [frame] * MARGIN
        held.append(frame)
        ahead += 1
        if len(held) == WINDOW:
            yield np.stack(held), stride
            held = held[stride:]
            ahead -= stride
    while ahead > 0:
        padded = held + [held[-1]] * (WINDOW - len(held))
        yield np.stack(padded), min(ahead, stride)
        held = padded[stride:]
        ahead -= stride


def split(probabilities: NDArray[np.floating], threshold: float) -> list[tuple[int, int]]:
    """Shots from transition probabilities: a run above the threshold ends one shot with its first
    frame and starts the next after its last.
    """
    cuts = probabilities > threshold
    shots: list[tuple[int, int]] = []
    first = 0
    for frame, cut in enumerate(cuts):
        before = bool(cuts[frame - 1]) if frame else False
        if cut and not before:
            shots.append((first, frame + 1))
        if cut:
            first = frame + 1
    if first < len(cuts):
        shots.append((first, len(cuts)))
    return shots
