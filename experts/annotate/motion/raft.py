"""Dense optical flow with RAFT (Teed & Deng, "RAFT: Recurrent All-Pairs Field Transforms for
Optical Flow", ECCV 2020): the authors' weights `raft-things` in torchvision's network.

VIVID-10M lets a pasted mask follow the background by RAFT's flow. Against DIS it is right on
textureless areas, on large motion and up to an object's edge, and about two hundred times slower
on a processor. Its memory grows with the square of the picture's area: the correlation of all pairs
of cells of 8×8 px takes 50 MB at 592×336 px and 5.5 GB at 1920×1080, so it is for working sizes.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from catalog.errors import EditmillError
from experts.annotate.motion.flow import Flow, FramePair
from experts.batching import Batches
from experts.providers.hub_model import AUTO, GIB
from experts.providers.registry import provider
from experts.weights import entry, fetch

if TYPE_CHECKING:
    from torch import Tensor

UPDATES = 20
"""Recurrent updates of the flow; the authors' own demonstration takes as many."""

BATCH = 4
"""Pairs per forward."""

CELL = 8
"""px: the network's frames have sides that are multiples of it."""

SMALLEST_SIDE = 128
"""px; the correlation pyramid has four levels and needs 16 cells a side at its finest."""

_NAMES = (
    # The authors' names of a weight, and torchvision's.
    (r"^module\.", ""),
    (r"^fnet\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (r"(layer\d\.\d)\.conv(\d)\.", r"\1.convnormrelu\2.0."),
    (r"(layer\d\.\d)\.norm(\d)\.", r"\1.convnormrelu\2.1."),
    (r"^(\w+_encoder)\.conv1\.", r"\1.convnormrelu.0."),
    (r"^(\w+_encoder)\.norm1\.", r"\1.convnormrelu.1."),
    (r"^(\w+_encoder)\.conv2\.", r"\1.conv."),
    (r"^update_block\.encoder\.convc(\d)\.", r"update_block.motion_encoder.convcorr\1.0."),
    (r"^update_block\.encoder\.convf(\d)\.", r"update_block.motion_encoder.convflow\1.0."),
    (r"^update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"^update_block\.gru\.conv([zrq])(\d)\.", r"update_block.recurrent_block.convgru\2.conv\1."),
    (r"^update_block\.mask\.0\.", "mask_predictor.convrelu.0."),
    (r"^update_block\.mask\.2\.", "mask_predictor.conv."),
)


class Raft:
    """RAFT behind the interface of :class:`~experts.annotate.motion.flow.FlowEstimator`.

    `device` is torch's name of one; `auto` is the first GPU, or the processor where there is none.
    It computes in float32. Thread-safe: torchvision's network keeps the correlation of the pair at
    hand, so calls take turns.
    """

    name = "raft"
    slots = ("raft_things",)

    def __init__(
        self, *, device: str = AUTO, updates: PositiveInt = UPDATES, batch: PositiveInt = BATCH
    ) -> None:
        self._device_name = device
        self._updates = updates
        self._batches = Batches(self.name, batch)
        self._network: Any = None
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        return f"1+{entry('raft_things').sha256[:8]}+{self._updates}"

    @property
    def device(self) -> str:
        """torch's name of the device that it runs on."""
        if self._device_name != AUTO:
            return self._device_name
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    @property
    def device_bytes(self) -> int:
        """Of the GPU's memory that it takes at a working size of 592 px; 0 on a processor."""
        return 0 if self.device == "cpu" else round(provider("flow", self.name).needs.gpu * GIB)

    def load(self) -> None:
        """Fetches and opens the weights; raises EditmillError if they cannot be had."""
        with self._lock:
            if self._network is not None:
                return
            import torch

            raft_large = _network_class()
            if self.device == "cpu":
                from experts.threads import one_for_torch

                one_for_torch()
            network = raft_large()
            weights = torch.load(fetch("raft_things"), map_location="cpu", weights_only=True)
            network.load_state_dict(torchvision_names(weights))
            self._network = network.eval().requires_grad_(False).to(self.device)

    def close(self) -> None:
        """Frees the weights."""
        with self._lock:
            self._network = None

    def flow(self, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Flow:
        """Flow from `a` to `b`, both uint8 [H, W, 3] RGB or [H, W]; float32 [H, W, 2] in px."""
        return self.flows([(a, b)])[0]

    def flows(self, pairs: Sequence[FramePair]) -> list[Flow]:
        """The flow of each pair of frames; all are of one size."""
        sizes = {frame.shape for pair in pairs for frame in pair}
        if len(sizes) > 1:
            raise ValueError(f"flow needs frames of one size, got {sorted(sizes)}")
        self.load()
        with self._lock:
            return self._batches.over(pairs, self._forward)

    def _forward(self, pairs: Sequence[FramePair]) -> list[Flow]:
        import torch

        height, width = pairs[0][0].shape[:2]
        before, after = (
            self._input([pair[side] for pair in pairs], height, width) for side in (0, 1)
        )
        with torch.inference_mode():
            found: Tensor = self._network(before, after, num_flow_updates=self._updates)[-1]
        flows = found[:, :, :height, :width].permute(0, 2, 3, 1).cpu().numpy()
        return [np.ascontiguousarray(each) for each in flows]

    def _input(self, frames: Sequence[NDArray[np.uint8]], height: int, width: int) -> Tensor:
        """[N, 3, h, w] in −1…1, sides padded with their last pixels to what the network takes."""
        import torch
        from torch.nn import functional as F

        colour = [np.repeat(f[..., None], 3, axis=2) if f.ndim == 2 else f for f in frames]
        x = torch.from_numpy(np.stack(colour)).to(self.device).permute(0, 3, 1, 2)
        below, right = (_padded(side) - side for side in (height, width))
        return F.pad(x.float() / 127.5 - 1, (0, right, 0, below), mode="replicate")


def _network_class() -> Any:
    try:
        from torchvision.models.optical_flow import (  # type: ignore[import-untyped]
            raft_large,
        )
    except ModuleNotFoundError:
        raise EditmillError(
            "raft needs torchvision, which is not installed; install it, in the checkout, with: "
            "pip install -e '.[gpu]'"
        ) from None
    return raft_large


def torchvision_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' weights under the names of torchvision's `raft_large`."""
    renamed = {}
    for name, value in weights.items():
        if ".norm3." in name:  # of a block's shortcut, where it is held twice
            continue
        for pattern, replacement in _NAMES:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed


def _padded(side: int) -> int:
    return max(SMALLEST_SIDE, -(-side // CELL) * CELL)
