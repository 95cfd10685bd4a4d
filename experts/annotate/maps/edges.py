"""Edge maps: Canny, and HED (Xie & Tu, "Holistically-Nested Edge Detection", ICCV 2015)."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import cv2
import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from experts.annotate.maps import hed_int8
from experts.annotate.maps.hed_int8 import Int8Hed
from experts.base import Frames
from experts.threads import one_for_torch
from experts.weights import entry, fetch

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

VGG_MEAN_BGR = (104.00699, 116.66877, 122.67892)
"""ImageNet mean, 0–255, in the channel order of the Caffe VGG-16 that HED starts from."""

VGG_BLOCKS = (
    (3, 64, 64),
    (64, 128, 128),
    (128, 256, 256, 256),
    (256, 512, 512, 512),
    (512, 512, 512, 512),
)
"""Channels through each block of VGG-16 (Simonyan & Zisserman 2015, configuration D)."""


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


class HedNetwork(nn.Module):
    """VGG-16's convolutions with a one-channel side output per block, upsampled and fused."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_vgg_block(channels) for channels in VGG_BLOCKS)
        self.sides = nn.ModuleList(nn.Conv2d(channels[-1], 1, 1) for channels in VGG_BLOCKS)
        self.fuse = nn.Conv2d(len(VGG_BLOCKS), 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Edge probability [B, 1, H, W], float32, of BGR less its mean, [B, 3, H, W]."""
        size = image.shape[-2:]
        outputs = []
        x = image
        for depth, (block, side) in enumerate(zip(self.blocks, self.sides, strict=True)):
            if depth:
                x = F.max_pool2d(x, 2, ceil_mode=True)
            x = block(x)
            outputs.append(F.interpolate(side(x), size, mode="bilinear"))
        return torch.sigmoid(self.fuse(torch.cat(outputs, 1)))

    def in_bytes(self, calibration: Tensor) -> Int8Hed:
        """The same network in 8-bit integers, calibrated on uint8 BGR frames [B, 3, h, w]."""
        blocks = [[m for m in b.children() if isinstance(m, nn.Conv2d)] for b in self.blocks]
        sides = [side for side in self.sides if isinstance(side, nn.Conv2d)]
        return Int8Hed(blocks, sides, self.fuse, VGG_MEAN_BGR, calibration)


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
                one_for_torch()
                network = HedNetwork()
                _load_keras(network, fetch("hed_bsds500"))
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
        self.load()
        network = self._network
        assert network is not None
        images = torch.from_numpy(frames[..., ::-1].copy()).permute(0, 3, 1, 2)
        edges = np.empty(frames.shape[:3], np.uint8)
        with torch.inference_mode():
            chosen = np.unique(np.linspace(0, len(frames) - 1, CALIBRATION_FRAMES).astype(int))
            small = network.in_bytes(images[chosen]) if hed_int8.supported() else None
            for first in range(0, len(frames), HED_BATCH):
                batch = images[first : first + HED_BATCH]
                strength = (network(less_mean(batch)) if small is None else small(batch))[:, 0]
                edges[first : first + HED_BATCH] = strength.mul_(255).round_().byte().numpy()
        return edges


def _vgg_block(channels: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def less_mean(images: Tensor) -> Tensor:
    """BGR bytes [B, 3, h, w] as float32 less the mean of each channel."""
    mean = torch.tensor(VGG_MEAN_BGR)[None, :, None, None]
    return (images.float() - mean).contiguous(memory_format=torch.channels_last)


def _load_keras(network: HedNetwork, path: Path) -> None:
    with h5py.File(path) as file:
        for number, block in enumerate(network.blocks, start=1):
            convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
            for index, convolution in enumerate(convolutions):
                suffix = f"_{index}" if index else ""
                copy_keras(file[f"block{number}/layers/conv2d{suffix}/vars"], convolution)
        for number, side in enumerate(network.sides, start=1):
            copy_keras(file[f"dsn{number}/vars"], side)
        copy_keras(file["fuse/vars"], network.fuse)


def copy_keras(variables: h5py.Group, convolution: nn.Module) -> None:
    """Copy a Keras convolution (kernel [kh, kw, in, out]) into torch's ([out, in, kh, kw])."""
    kernel, bias = variables["0"][()], variables["1"][()]
    convolution.load_state_dict(
        {
            "weight": torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()),
            "bias": torch.from_numpy(bias),
        }
    )
