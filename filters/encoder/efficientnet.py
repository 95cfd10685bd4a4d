"""EfficientNet-lite0 (Tan & Le 2019; the lite variant drops squeeze-excitation and uses ReLU6).

The module's names are those of the weight file. Batch norms are folded into the convolutions once
loaded: on a CPU the network is bound by memory traffic, and they are a third of its passes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

_BN_EPSILON = 1e-3  # TensorFlow's value, with which the weights were trained

_STAGES = (
    # repeats, kernel, stride, expansion, channels out
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)

LEVELS = (0, 2, 4, 10)
"""Blocks whose output is a feature level: 16, 24, 40 and 112 channels at stride 2, 4, 8 and 16."""

EMBEDDING = 1280
"""Channels of the penultimate layer."""


class _SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: the odd pixel goes to the right and below."""

    def forward(self, input: Tensor) -> Tensor:
        pads: list[int] = []
        for size, kernel, stride in zip(
            reversed(input.shape[-2:]),
            reversed(self.kernel_size),
            reversed(self.stride),
            strict=True,
        ):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        if pads[0] == pads[1] and pads[2] == pads[3]:
            return F.conv2d(
                input, self.weight, self.bias, self.stride, (pads[2], pads[0]), 1, self.groups
            )
        padded = _padded(input, *pads)
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


def _padded(x: Tensor, left: int, right: int, above: int, below: int) -> Tensor:
    """Zeros around [N, C, H, W], channels last: F.pad takes up to four times as long there."""
    count, channels, height, width = x.shape
    out = x.new_zeros(count, above + height + below, left + width + right, channels)
    out = out.permute(0, 3, 1, 2)
    out[:, :, above : above + height, left : left + width] = x
    return out


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_BN_EPSILON)


class _Block(nn.Module):
    """Inverted residual: widen, filter per channel, narrow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expands = expansion > 1
        self.residual = stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv = _SameConv(inputs, wide, 1, bias=False)
            self._bn0: nn.Module = _norm(wide)
        self._depthwise_conv = _SameConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1: nn.Module = _norm(wide)
        self._project_conv = _SameConv(wide, outputs, 1, bias=False)
        self._bn2: nn.Module = _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if self.expands:
            y = F.relu6(self._bn0(self._expand_conv(y)), inplace=True)
        y = F.relu6(self._bn1(self._depthwise_conv(y)), inplace=True)
        y = self._bn2(self._project_conv(y))
        return y + x if self.residual else y

    def fold(self) -> None:
        if self.expands:
            self._expand_conv = fuse_conv_bn_eval(self._expand_conv, self._bn0)  # type: ignore[arg-type]
            self._bn0 = nn.Identity()
        self._depthwise_conv = fuse_conv_bn_eval(self._depthwise_conv, self._bn1)  # type: ignore[arg-type]
        self._bn1 = nn.Identity()
        self._project_conv = fuse_conv_bn_eval(self._project_conv, self._bn2)  # type: ignore[arg-type]
        self._bn2 = nn.Identity()


class EfficientNetLite0(nn.Module):
    """Images [N, 3, H, W] in −1…1 → feature levels, embedding and ImageNet logits."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _SameConv(3, 32, 3, 2, bias=False)
        self._bn0: nn.Module = _norm(32)
        blocks: list[nn.Module] = []
        inputs = 32
        for repeats, kernel, stride, expansion, outputs in _STAGES:
            for repeat in range(repeats):
                blocks.append(
                    _Block(inputs, outputs, kernel, stride if repeat == 0 else 1, expansion)
                )
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _SameConv(inputs, EMBEDDING, 1, bias=False)
        self._bn1: nn.Module = _norm(EMBEDDING)
        self._fc = nn.Linear(EMBEDDING, 1000)

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor]) -> EfficientNetLite0:
        """The network with these weights, in evaluation mode, batch norms folded."""
        network = cls()
        network.load_state_dict(dict(weights))
        network.eval().requires_grad_(False)
        network._conv_stem = fuse_conv_bn_eval(network._conv_stem, network._bn0)  # type: ignore[arg-type]
        network._bn0 = nn.Identity()
        for block in network._blocks:
            block.fold()  # type: ignore[operator]
        network._conv_head = fuse_conv_bn_eval(network._conv_head, network._bn1)  # type: ignore[arg-type]
        network._bn1 = nn.Identity()
        return network.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """Levels [N, C, h, w] (see LEVELS), embedding [N, 1280], logits [N, 1000]."""
        x = F.relu6(self._bn0(self._conv_stem(images)))
        levels = []
        for index, block in enumerate(self._blocks):
            x = block(x)
            if index in LEVELS:
                levels.append(x)
        x = F.relu6(self._bn1(self._conv_head(x)))
        embedding = x.mean(dim=(2, 3))
        return levels, embedding, self._fc(embedding)
