"""HED's network (Xie & Tu 2015), whose published weights `experts.annotate.maps.edges` opens."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import h5py
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experts.annotate.maps.hed_int8 import Int8Hed

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


def _vgg_block(channels: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def less_mean(images: Tensor) -> Tensor:
    """BGR bytes [B, 3, h, w] as float32 less the mean of each channel."""
    mean = torch.tensor(VGG_MEAN_BGR)[None, :, None, None]
    return (images.float() - mean).contiguous(memory_format=torch.channels_last)


def load_keras(network: HedNetwork, path: Path) -> None:
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
