"""Relative depth of video by a monocular model of the Depth Anything kind, steady over time.

No package registry carries a good depth model, so the checkpoint comes from the hub or is the
user's, in transformers' own layout (`config.json`, `model.safetensors`,
`preprocessor_config.json`), for instance Depth Anything V2 (Yang et al., NeurIPS 2024). Of that
family the Small model is Apache-2.0; Base and Large are CC-BY-NC-4.0, and so not for a dataset that
anybody may use. A recipe chooses by `models.depth`; where there is no recipe (`editmill edit`) the
variable `EDITMILL_DEPTH` names the checkpoint.

Such a model says for each frame by itself which of two points is nearer; scale and offset are free
and jump from frame to frame. Here each frame's median and mean deviation are brought to what they
are on average over the neighbouring frames, and one pair of robust quantiles maps the whole clip to
0–255: a static thing keeps its grey.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from catalog.errors import EditmillError
from experts.base import Frames
from experts.batching import Batches
from experts.checkpoint import Kind
from experts.licences import OutputLicence
from experts.providers.bounds import Dtype
from experts.providers.hub_model import AUTO, HubModel
from experts.providers.pretrained import pretrained

if TYPE_CHECKING:
    import torch

VARIABLE = "EDITMILL_DEPTH"
"""Names the checkpoint where there is no recipe: a folder, or `owner/name@<commit>` on the hub."""

KINDS = ("depth_anything", "dpt")
"""Model types whose prediction is a disparity, larger where nearer; others predict distances."""

BATCH = 4
"""Frames per forward."""

SMOOTH = 4.0
"""Frames; standard deviation of the window over which a frame's scale is averaged: a zoom passes,
a jump does not."""

QUANTILES = (0.01, 0.99)
"""Of the clip's values: the darkest and the brightest grey."""

Depth = NDArray[np.float32]
"""[T, h, w]: disparity up to scale and offset; larger is nearer."""


class DepthAnything(HubModel):
    """A relative depth model (Depth Anything, or a DPT that predicts disparity) of transformers.

    `batch` frames go through it at once.
    """

    slot = "depth"
    provider_name = "depth_anything"

    def __init__(
        self,
        *,
        checkpoint: str = "",
        device: str = AUTO,
        dtype: Dtype = AUTO,
        batch: PositiveInt = BATCH,
    ) -> None:
        super().__init__(checkpoint=checkpoint, device=device, dtype=dtype)
        self._batches = Batches(self.name, batch)

    def disparity(self, frames: Frames) -> Depth:
        """What the model says of each frame [T, H, W, 3] by itself, at the size it works at."""
        self.load()
        return np.stack(self._batches.over(list(frames), self._forward))

    def _forward(self, frames: Sequence[NDArray[np.uint8]]) -> list[Depth]:
        import torch

        model, processor = self._models
        pixels = processor(images=list(frames), return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            answer: torch.Tensor = model(pixels.to(self.device, self.dtype)).predicted_depth
        return list(answer.float().cpu().numpy())

    def _open(self, folder: Path) -> Any:
        import transformers

        # A build shows its own progress, and which of two image libraries scales is no news.
        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        processor = transformers.AutoImageProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        model = pretrained(transformers.AutoModelForDepthEstimation, folder, dtype=self.dtype)
        config = model.config
        metric = getattr(config, "depth_estimation_type", "relative") == "metric"
        if config.model_type not in KINDS or metric:
            found = f"metric {config.model_type}" if metric else config.model_type
            kind = self._kind()
            raise EditmillError(
                f"{folder}: is a {found} model, which predicts distances; set {kind.option} to a "
                f"relative one of type {' or '.join(KINDS)}, such as {kind.example}"
            )
        return model.eval().requires_grad_(False).to(self.device), processor


class DepthModel(DepthAnything):
    """The same where no recipe chooses: the checkpoint is the one that EDITMILL_DEPTH names."""

    @property
    def checkpoint(self) -> str:
        """Raises EditmillError, in one line that says what to set, where the variable is empty."""
        named = os.environ.get(VARIABLE, "")
        if not named:
            raise EditmillError(
                "the depth tasks need a depth model, which no package registry carries: choose "
                f"`models.depth` in a recipe, or set {VARIABLE} to the folder of one, or to "
                f"{self._kind().hub_example}"
            )
        return named

    @property
    def output_licence(self) -> OutputLicence | None:
        """None where no checkpoint is named, too."""
        return super().output_licence if os.environ.get(VARIABLE) else None

    def _kind(self) -> Kind:
        return dataclasses.replace(super()._kind(), option=VARIABLE)


def steadied(disparity: Depth, smooth: float = SMOOTH) -> Depth:
    """Frames whose median and mean deviation are averaged over `smooth` frames; same shape."""
    middle = np.median(disparity, axis=(1, 2))
    deviation = np.abs(disparity - middle[:, None, None]).mean(axis=(1, 2))
    deviation = np.maximum(deviation, 1e-6)
    wanted_middle, wanted_deviation = _smoothed(middle, smooth), _smoothed(deviation, smooth)
    gain = (wanted_deviation / deviation)[:, None, None]
    return np.asarray(
        (disparity - middle[:, None, None]) * gain + wanted_middle[:, None, None], np.float32
    )


def greys(disparity: Depth, size: tuple[int, int]) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """0–255 [T, *size], near is bright, and the clip's two quantiles that became 0 and 255.

    A clip of one depth is black.
    """
    low, high = (float(q) for q in np.quantile(disparity, QUANTILES))
    gain = 255 / (high - low) if high > low else 0.0
    grey = np.empty((len(disparity), *size), np.uint8)
    for frame, out in zip(disparity, grey, strict=True):
        large = cv2.resize((frame - low) * gain, size[::-1], interpolation=cv2.INTER_CUBIC)
        out[:] = np.rint(np.clip(large, 0, 255))
    return grey, (low, high)


def _smoothed(values: NDArray[np.float32], sigma: float) -> NDArray[np.float64]:
    """A Gaussian mean over time; at the ends over the frames that are there."""
    offsets = np.arange(len(values))
    weights = np.exp(-0.5 * np.square((offsets[:, None] - offsets) / sigma))
    return np.asarray(weights @ values.astype(np.float64) / weights.sum(axis=1))
