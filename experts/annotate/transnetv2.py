"""The network of TransNet V2, whose published weights `experts.annotate.shots` opens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LOOKUP = 101
"""Neighbours a frame is compared with: 50 before, itself, 50 after."""

DILATIONS = (1, 2, 4, 8)
"""Of the four temporal convolutions in a DDCNN cell."""

HISTOGRAM_BINS = 512
"""8 levels of each of R, G and B."""


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
        x = frames.float() / 255
        levels = []
        for stack in self.SDDCNN:
            x = stack(x)
            levels.append(x)
        features = torch.cat(
            [self.frame_sim_layer(levels), self.color_hist_layer(frames), x.flatten(2)], dim=2
        )
        hidden = F.relu(self.fc1(features))
        return self.cls_layer1(hidden)[..., 0], self.cls_layer2(hidden)[..., 0]


class StackedDDCNN(nn.Module):
    """Two DDCNN cells with a shortcut, then the mean over 2×2 pixels: of [B, T, H, W, C]."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        wide = filters * len(DILATIONS)
        self.DDCNN = nn.ModuleList([DilatedCell(channels, filters), DilatedCell(wide, filters)])

    def forward(self, x: Tensor) -> Tensor:
        first = F.relu_(self.DDCNN[0](x))
        x = F.relu_(self.DDCNN[1](first)).add_(first)
        pooled = F.avg_pool2d(x.flatten(0, 1).permute(0, 3, 1, 2), 2)
        return pooled.permute(0, 2, 3, 1).unflatten(0, x.shape[:2])


class DilatedCell(nn.Module):
    """Parallel convolutions that see 3 frames at distances 1, 2, 4 and 8, joined and normalised."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        for dilation in DILATIONS:
            setattr(self, f"Conv3D_{dilation}", SeparableConv3d(channels, filters, dilation))
        self.bn = nn.BatchNorm3d(filters * len(DILATIONS), eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        branches = [getattr(self, f"Conv3D_{dilation}")(x) for dilation in DILATIONS]
        return self.bn(torch.cat(branches, dim=-1).permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)


class SeparableConv3d(nn.Module):
    """A 3×3 convolution in space, then a dilated one of 3 frames in time; no bias.

    Either is a convolution in two dimensions, over height and width and over time and pixels, of
    [B, T, H, W, C] as it lies in memory; as such they are 1.7 times as fast on a processor.
    """

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
        self.dilation = dilation

    def forward(self, x: Tensor) -> Tensor:
        batch, length, height, width, _ = x.shape
        in_space, in_time = (layer.get_parameter("weight") for layer in self.layers)
        pictures = x.flatten(0, 1).permute(0, 3, 1, 2)
        x = F.conv2d(pictures, in_space[:, :, 0], padding=1)
        pixels = x.permute(0, 2, 3, 1).reshape(batch, length, height * width, -1)
        x = F.conv2d(
            pixels.permute(0, 3, 1, 2),
            in_time[..., 0],
            padding=(self.dilation, 0),
            dilation=(self.dilation, 1),
        )
        return x.permute(0, 2, 3, 1).unflatten(2, (height, width))


class FrameSimilarity(nn.Module):
    """Cosine similarity of each frame's pooled features with its neighbours', embedded."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.projection = nn.Linear(channels, 128)
        self.fc = nn.Linear(LOOKUP, 128)

    def forward(self, levels: list[Tensor]) -> Tensor:
        pooled = torch.cat([level.mean(dim=(2, 3)) for level in levels], dim=2)
        projected = F.normalize(self.projection(pooled), dim=2)
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
