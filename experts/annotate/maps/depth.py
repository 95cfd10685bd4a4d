"""Relative depth of video by a monocular model of the Depth Anything kind, steady over time.

No package registry carries a good depth model, so the checkpoint is the user's: a folder, or a hub
id with its commit, in `EDITMILL_DEPTH`, in transformers' own layout (`config.json`,
`model.safetensors`, `preprocessor_config.json`), for instance Depth Anything V2 (Yang et al.,
NeurIPS 2024). Of that family the Small model is Apache-2.0; Base and Large are CC-BY-NC-4.0, and so
not for a dataset that anybody may use.

Such a model says for each frame by itself which of two points is nearer; scale and offset are free
and jump from frame to frame. Here each frame's median and mean deviation are brought to what they
are on average over the neighbouring frames, and one pair of robust quantiles maps the whole clip to
0–255: a static thing keeps its grey.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import EditmillError
from experts.base import Frames
from experts.checkpoint import Kind
from experts.threads import one_for_torch

if TYPE_CHECKING:
    import torch

VARIABLE = "EDITMILL_DEPTH"
"""Names the checkpoint: a folder, or `owner/name@<commit>` on the hub."""

CHECKPOINT = Kind(
    what="depth model",
    files=("config.json", "model.safetensors", "preprocessor_config.json"),
    option=VARIABLE,
    example="depth-anything/Depth-Anything-V2-Small-hf",
    library="transformers",
    package="transformers",
    extra="depth",
)
"""Weights only as safetensors, which cannot run code."""

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


class DepthModel:
    """A depth checkpoint behind transformers' interface. Thread-safe once loaded."""

    name = "depth"

    def __init__(self, device: str = "cpu") -> None:
        self._device = device
        self._model: Any = None
        self._processor: Any = None
        self._loading = threading.Lock()

    @property
    def version(self) -> str:
        """Of the checkpoint's bytes and the library that runs it. Raises EditmillError, one line,
        where either is missing; nothing is loaded."""
        return f"1+{CHECKPOINT.version(checkpoint())}"

    def load(self) -> None:
        """Opens the checkpoint; raises EditmillError, one line, if it cannot be had."""
        with self._loading:
            if self._model is not None:
                return
            folder = checkpoint()
            transformers = _transformers()
            if self._device == "cpu":
                one_for_torch()
            try:
                processor = transformers.AutoImageProcessor.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False
                )
                model = transformers.AutoModelForDepthEstimation.from_pretrained(
                    folder,
                    local_files_only=True,
                    use_safetensors=True,
                    trust_remote_code=False,
                )
            except Exception as error:  # whatever is wrong with somebody's files
                raise CHECKPOINT.unreadable(folder, error) from None
            config = model.config
            metric = getattr(config, "depth_estimation_type", "relative") == "metric"
            if config.model_type not in KINDS or metric:
                kind = f"metric {config.model_type}" if metric else config.model_type
                raise EditmillError(
                    f"{folder}: is a {kind} model, which predicts distances; set {VARIABLE} to a "
                    f"relative one of type {' or '.join(KINDS)}, such as {CHECKPOINT.example}"
                )
            self._processor = processor
            self._model = model.eval().requires_grad_(False).to(self._device)

    def close(self) -> None:
        """Frees the weights."""
        self._model = self._processor = None

    def disparity(self, frames: Frames) -> Depth:
        """What the model says of each frame [T, H, W, 3] by itself, at the size it works at."""
        import torch

        self.load()
        model, processor = self._model, self._processor
        found: list[Depth] = []
        for first in range(0, len(frames), BATCH):
            batch = list(frames[first : first + BATCH])
            inputs = processor(images=batch, return_tensors="pt").to(self._device)
            with torch.inference_mode():
                answer: torch.Tensor = model(**inputs).predicted_depth
            found.append(answer.float().cpu().numpy())
        return np.concatenate(found)


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


def checkpoint() -> Path:
    """The folder of the checkpoint that `EDITMILL_DEPTH` names, fetched from the hub if need be.

    Raises EditmillError, in one line that says what to set.
    """
    chosen = os.environ.get(VARIABLE, "")
    if not chosen:
        raise EditmillError(
            "the depth tasks need a depth model, which no package registry carries: set "
            f"{VARIABLE} to a folder or hub id of one: {CHECKPOINT.hub_example}"
        )
    return CHECKPOINT.folder(chosen)


def _transformers() -> Any:
    CHECKPOINT.installed()
    import transformers

    # A build shows its own progress, and which of two image libraries scales is no news.
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    return transformers


def _smoothed(values: NDArray[np.float32], sigma: float) -> NDArray[np.float64]:
    """A Gaussian mean over time; at the ends over the frames that are there."""
    offsets = np.arange(len(values))
    weights = np.exp(-0.5 * np.square((offsets[:, None] - offsets) / sigma))
    return np.asarray(weights @ values.astype(np.float64) / weights.sum(axis=1))
