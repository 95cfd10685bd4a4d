"""HED's convolutions in 8-bit integers: half the time of bfloat16, a quarter of float32's.

Weights are rounded to signed bytes with one scale per output channel, activations to unsigned ones
with one scale per layer (Krishnamoorthi, "Quantizing deep convolutional networks for efficient
inference: a whitepaper", 2018). An activation's scale is its maximum over a few frames of the clip
at hand: clips differ by a factor of two, so no table of ranges is kept. What is learned from the
side outputs (1×1 convolutions, the fusion and the sigmoid) stays exact or in float32.

Sums of integers do not depend on their order: the bytes are the same for any batch and any number
of threads. Needs a CPU with AVX-512 VNNI; elsewhere these integer kernels are slower than float32.

Against float32 or bfloat16, on frames of six clips: mean absolute difference 0.1 to 0.8 of 255
levels, PSNR 45 to 52 dB (infra/bench/results/throughput.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MARGIN = 1.2
"""Headroom above the calibration frames' maximum, for the frames between them. Costs 1 dB."""

BYTE, SIGNED = 255.0, 127.0
"""Largest activation and largest weight."""

_ops = torch.ops.onednn


def supported() -> bool:
    """Whether this CPU multiplies bytes quickly enough (AVX-512 VNNI)."""
    return bool(torch.cpu._is_vnni_supported())


@dataclass(frozen=True, slots=True)
class _Convolution:
    """A packed convolution of bytes, which stand for `scale_in` times their value."""

    packed: Tensor
    scales: Tensor  # of the weights, per output channel
    bias: Tensor
    scale_in: float
    padding: int

    @classmethod
    def of(
        cls, weight: Tensor, scales: Tensor, bias: Tensor, scale_in: float, padding: int
    ) -> _Convolution:
        pad = [padding, padding]
        packed = _ops.qconv_prepack(weight, scales, scale_in, 0, [1, 1], pad, [1, 1], 1, None)
        return cls(packed, scales, bias, scale_in, padding)

    def __call__(self, x: Tensor, scale_out: float = 1.0, relu: bool = True) -> Tensor:
        """Bytes that stand for `scale_out` times their value; float32 where that is 1."""
        made: Tensor = _ops.qconv2d_pointwise(
            x,
            self.scale_in,
            0,
            self.packed,
            self.scales,
            torch.zeros(len(self.scales), dtype=torch.int32),
            self.bias,
            [1, 1],
            [self.padding, self.padding],
            [1, 1],
            1,
            scale_out,
            0,
            torch.float32 if scale_out == 1.0 else torch.uint8,
            "relu" if relu else "none",
            [],
            "",
        )
        return made


@dataclass(frozen=True, slots=True)
class _Block:
    """A block's convolutions, each with the scale of its output, and its side output."""

    convolutions: tuple[tuple[_Convolution, float], ...]
    side: _Convolution


class Int8Hed:
    """An `edges.HedNetwork` in bytes, calibrated on some frames of one clip."""

    def __init__(
        self,
        blocks: Sequence[Sequence[nn.Conv2d]],
        sides: Sequence[nn.Conv2d],
        fuse: nn.Conv2d,
        mean: Sequence[float],
        calibration: Tensor,
        margin: float = MARGIN,
    ) -> None:
        """Blocks of 3×3 convolutions, a side output for each, and the fusion, all float32; the
        `mean` (0–255) taken off each input channel; uint8 images [B, 3, h, w] to calibrate on."""
        self._fuse = fuse
        self._mean = torch.tensor(mean)
        self._blocks: list[_Block] = []
        x, scale = self._padded(calibration), 1.0
        for depth, (block, side) in enumerate(zip(blocks, sides, strict=True)):
            x = _pooled(x) if depth else x
            made = []
            for index, layer in enumerate(block):
                first = not depth and not index
                convolution = self._convolution(layer, scale, first)
                y = convolution(x)
                scale = max(float(y.amax()), 1e-6) * margin / BYTE
                x = y.div_(scale).round_().to(torch.uint8)
                made.append((convolution, scale))
            self._blocks.append(_Block(tuple(made), _side(side, scale)))

    def __call__(self, images: Tensor) -> Tensor:
        """Edge probability [B, 1, h, w], float32, of uint8 BGR [B, 3, h, w]."""
        size = images.shape[-2:]
        x = self._padded(images)
        outputs = []
        for depth, block in enumerate(self._blocks):
            x = _pooled(x) if depth else x
            for convolution, scale in block.convolutions:
                x = convolution(x, scale)
            side = block.side(x, relu=False).sum(1, keepdim=True)
            outputs.append(F.interpolate(side, size, mode="bilinear"))
        return torch.sigmoid(self._fuse(torch.cat(outputs, 1)))

    def _padded(self, images: Tensor) -> Tensor:
        """With a rim of the mean, which is zero to the network."""
        count, channels, height, width = images.shape
        rim = self._mean.round().to(torch.uint8)[None, :, None, None]
        x = rim.expand(count, channels, height + 2, width + 2)
        x = x.clone(memory_format=torch.contiguous_format)
        x[:, :, 1:-1, 1:-1] = images
        return x.contiguous(memory_format=torch.channels_last)

    def _convolution(self, layer: nn.Conv2d, scale: float, first: bool) -> _Convolution:
        weight, bias = layer.weight, layer.bias
        assert bias is not None
        if first:  # the mean is taken off the sums instead of the picture
            bias = bias - (weight * self._mean[None, :, None, None]).sum((1, 2, 3))
        scales = weight.abs().amax((1, 2, 3)).clamp(min=1e-12) / SIGNED
        rounded = torch.round(weight / scales[:, None, None, None]).to(torch.int8)
        return _Convolution.of(rounded, scales, bias, scale, padding=0 if first else 1)


def _side(layer: nn.Conv2d, scale: float) -> _Convolution:
    """A side output as two channels whose sum it is, so that its weights have 15 bits, not 8."""
    coarse = layer.weight.abs().amax() / SIGNED
    fine = coarse / (2 * SIGNED)
    high = torch.round(layer.weight / coarse)
    low = torch.round((layer.weight - high * coarse) / fine)
    assert layer.bias is not None
    return _Convolution.of(
        torch.cat([high, low]).to(torch.int8),
        torch.stack([coarse, fine]),
        torch.cat([layer.bias, torch.zeros(1)]),
        scale,
        padding=0,
    )


def _pooled(x: Tensor) -> Tensor:
    """Maxima of 2×2, at an odd border of what is there; torch's own refuses large bytes."""
    height, width = x.shape[-2:]
    x = F.pad(x, (0, width % 2, 0, height % 2))
    rows = torch.maximum(x[:, :, ::2], x[:, :, 1::2])
    return torch.maximum(rows[..., ::2], rows[..., 1::2]).contiguous(
        memory_format=torch.channels_last
    )
