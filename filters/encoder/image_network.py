"""EfficientNet-lite0 on a batch of pictures, and what is pooled of its levels: arrays in, arrays
out. Apart from the encoder, since importing torch takes seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from filters.encoder.efficientnet import EfficientNetLite0

_MEAN, _SCALE = 127.0, 128.0
"""The lite models' input scaling. On sample frames its classes were surer and saner than under
ImageNet's usual mean and deviation (news reader: "bow tie" .86 against "seat belt" .27)."""


class ImageNetwork:
    """The network with the weights of a file. Thread-safe: they are only read."""

    def __init__(self, weights: Path) -> None:
        loaded = torch.load(weights, map_location="cpu", weights_only=True)
        self._network = EfficientNetLite0.from_weights(loaded)

    def __call__(
        self,
        pictures: NDArray[np.uint8],
        planes: NDArray[np.float32],
        masks: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], ...]:
        """RGB [N, h, w, 3], a level of its own [N, C, h, w] that is pooled before the network's,
        and masks [N, h, w] to pool by → per region the pooled levels [N, R, 2·ΣC], the last level
        [N, 112, h, w], the embedding [N, 1280], and the classes' probabilities [N, 1000]. Regions
        are the picture and, with masks, what lies inside and outside of them."""
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().sub_(_MEAN).div_(_SCALE)
        mask = None if masks is None else torch.from_numpy(masks)[:, None]
        with torch.inference_mode():
            x = x.contiguous(memory_format=torch.channels_last)
            levels, embedding, logits = self._network(x)
            pooled = _pool([torch.from_numpy(planes), *levels], mask)
            return (
                pooled.numpy(),
                levels[-1].contiguous().numpy(),
                embedding.numpy(),
                logits.softmax(-1).numpy(),
            )


def _pool(levels: Sequence[Tensor], mask: Tensor | None) -> Tensor:
    """[N, R, 2·ΣC]: per region the channels' means and deviations, weighted by the region."""
    parts = []
    for level in levels:
        count, channels, height, width = level.shape
        # Cells by channels, which is how the network's channels-last tensors lie in memory
        cells = level.permute(0, 2, 3, 1).reshape(count, height * width, channels)
        regions = level.new_ones(count, 1, height * width)
        if mask is not None:
            # A mask thinner than a cell still weighs in by the share of the cell it covers
            inside = F.adaptive_avg_pool2d(mask, (height, width)).reshape(count, 1, -1)
            regions = torch.cat([regions, inside, 1 - inside], dim=1)
        weight = regions / regions.sum(-1, keepdim=True).clamp_min(1e-4)
        mean = weight @ cells
        variance = weight @ cells.square() - mean.square()
        parts += [mean, variance.clamp_min(0).sqrt()]
    return torch.cat(parts, dim=2)
