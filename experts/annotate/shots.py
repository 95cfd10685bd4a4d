"""Shot boundaries with TransNet V2 (Souček & Lokoč, "TransNet V2: An effective deep network
architecture for fast shot transition detection", 2020)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from experts.base import Frames
from experts.threads import one_for_torch
from experts.weights import entry, fetch

INPUT_SIZE = (27, 48)
"""Height and width, px, of the frames the network was trained on."""

WINDOW = 100
MARGIN = 25
"""Frames per forward, and how many at either end only lend context: 50 predictions a window."""

THRESHOLD = 0.5
"""Transition probability above which a frame belongs to a cut; the authors' default."""

LOOKUP = 101
"""Neighbours a frame is compared with: 50 before, itself, 50 after."""

DILATIONS = (1, 2, 4, 8)
"""Of the four temporal convolutions in a DDCNN cell."""

HISTOGRAM_BINS = 512
"""8 levels of each of R, G and B."""


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
                one_for_torch()
                network = TransNetV2()
                state = torch.load(fetch("transnetv2"), map_location="cpu", weights_only=True)
                network.load_state_dict(state)
                network.eval().requires_grad_(False)
                self._network = network.to(memory_format=torch.channels_last_3d)

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


class TransNetV2(nn.Module):
    """Stacked dilated 3D convolutions beside frame similarities and colour histograms.

    Attribute names are those of the published state dict.
    """

    def __init__(self) -> None:
        super().__init__()
        self.SDDCNN = nn.ModuleList(
            [StackedDDCNN(3, 16), StackedDDCNN(64, 32), StackedDDCNN(128, 64)]
        )
        self.frame_sim_layer = FrameSimilarity(64 + 128 + 256)
        self.color_hist_layer = ColorHistograms()
        self.fc1 = nn.Linear(256 * 3 * 6 + 2 * 128, 1024)
        self.cls_layer1 = nn.Linear(1024, 1)
        self.cls_layer2 = nn.Linear(1024, 1)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, T] of the one-frame and the all-frames head, from uint8 [B, T, 27, 48, 3]."""
        x = frames.permute(0, 4, 1, 2, 3).float() / 255
        levels = []
        for stack in self.SDDCNN:
            x = stack(x)
            levels.append(x)
        features = torch.cat(
            [
                self.frame_sim_layer(levels),
                self.color_hist_layer(frames),
                x.permute(0, 2, 3, 4, 1).flatten(2),
            ],
            dim=2,
        )
        hidden = F.relu(self.fc1(features))
        return self.cls_layer1(hidden)[..., 0], self.cls_layer2(hidden)[..., 0]


class StackedDDCNN(nn.Module):
    """Two DDCNN cells with a shortcut, then the mean over 2×2 pixels."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        wide = filters * len(DILATIONS)
        self.DDCNN = nn.ModuleList([DilatedCell(channels, filters), DilatedCell(wide, filters)])

    def forward(self, x: Tensor) -> Tensor:
        first = F.relu(self.DDCNN[0](x))
        return F.avg_pool3d(F.relu(self.DDCNN[1](first)) + first, (1, 2, 2))


class DilatedCell(nn.Module):
    """Parallel convolutions that see 3 frames at distances 1, 2, 4 and 8, joined and normalised."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        for dilation in DILATIONS:
            setattr(self, f"Conv3D_{dilation}", SeparableConv3d(channels, filters, dilation))
        self.bn = nn.BatchNorm3d(filters * len(DILATIONS), eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        branches = [getattr(self, f"Conv3D_{dilation}")(x) for dilation in DILATIONS]
        return self.bn(torch.cat(branches, dim=1))


class SeparableConv3d(nn.Module):
    """A 3×3 convolution in space, then a dilated one of 3 frames in time; no bias."""

    def __init__(self, channels: int, filters: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Conv3d(channels, 2 * filters, (1, 3, 3), padding=(0, 1, 1), bias=False),
                nn.Conv3d(
                    2 * filters,
                    filters,
                    (3, 1, 1),
                    dilation=(dilation, 1, 1),
                    padding=(dilation, 0, 0),
                    bias=False,
                ),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[1](self.layers[0](x))


class FrameSimilarity(nn.Module):
    """Cosine similarity of each frame's pooled features with its neighbours', embedded."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.projection = nn.Linear(channels, 128)
        self.fc = nn.Linear(LOOKUP, 128)

    def forward(self, levels: list[Tensor]) -> Tensor:
        pooled = torch.cat([level.mean(dim=(3, 4)) for level in levels], dim=1)
        projected = F.normalize(self.projection(pooled.transpose(1, 2)), dim=2)
        return F.relu(self.fc(neighbour_similarity(projected)))


class ColorHistograms(nn.Module):
    """Similarity of each frame's colour histogram with its neighbours', embedded."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LOOKUP, 128)

    def forward(self, frames: Tensor) -> Tensor:
        red, green, blue = (frames.int() >> 5).unbind(-1)
        colour = ((red << 6) + (green << 3) + blue).flatten(2).long()  # [B, T, pixels]
        batch, length, _ = colour.shape
        counts = torch.zeros(batch, length, HISTOGRAM_BINS)
        counts.scatter_add_(2, colour, torch.ones(colour.shape))
        return F.relu(self.fc(neighbour_similarity(F.normalize(counts, dim=2))))


def neighbour_similarity(x: Tensor) -> Tensor:
    """Dot products of each frame with the 50 before it, itself and the 50 after: [B, T, D] to
    [B, T, 101]; zero beyond the ends.
    """
    half = LOOKUP // 2
    length = x.shape[1]
    products = F.pad(x @ x.transpose(1, 2), (half, half))
    position = torch.arange(length)[:, None] + torch.arange(LOOKUP)
    return products.gather(2, position.expand(x.shape[0], -1, -1))
