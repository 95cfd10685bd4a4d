"""Relative depth of video by a monocular model of the Depth Anything kind, steady over time.

No package registry carries a good depth model, so the checkpoint is the user's: a folder or a hub
id in `EDITMILL_DEPTH`, in transformers' own layout (`config.json`, `model.safetensors`,
`preprocessor_config.json`), for instance Depth Anything V2 (Yang et al., NeurIPS 2024).

Such a model says for each frame by itself which of two points is nearer; scale and offset are free
and jump from frame to frame. Here each frame's median and spread are brought to what they are on
average over the neighbouring frames, and one pair of robust quantiles maps the whole clip to
0–255: a still thing keeps its grey.
"""

from __future__ import annotations

import functools
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import EditmillError
from catalog.keys import digest, file_digest
from experts.base import Frames

if TYPE_CHECKING:
    import torch

VARIABLE = "EDITMILL_DEPTH"
"""Names the checkpoint: a folder, or `owner/name` on the hub."""

EXAMPLE = "depth-anything/Depth-Anything-V2-Small-hf"

FILES = ("config.json", "model.safetensors", "preprocessor_config.json")
"""What is read of a checkpoint; weights only as safetensors, which cannot run code."""

BATCH = 4
"""Frames per forward."""

SMOOTH = 4.0
"""Frames; standard deviation of the window over which a frame's scale is averaged: a zoom passes,
a jump does not."""

QUANTILES = (0.01, 0.99)
"""Of the clip's values: the darkest and the brightest grey."""

Depth = NDArray[np.float32]
"""[T, H, W]: disparity up to scale and offset; larger is nearer."""


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
        """Of the checkpoint's bytes. Raises EditmillError where there is none."""
        return f"1+{_fingerprint(str(checkpoint()))[:8]}"

    def load(self) -> None:
        """Opens the checkpoint; raises EditmillError, one line, if it cannot be had."""
        with self._loading:
            if self._model is not None:
                return
            folder = checkpoint()
            transformers = _transformers()
            try:
                processor = transformers.AutoImageProcessor.from_pretrained(
                    folder, local_files_only=True
                )
                model = transformers.AutoModelForDepthEstimation.from_pretrained(
                    folder, local_files_only=True, use_safetensors=True
                )
            except (OSError, ValueError, KeyError) as error:
                said = " ".join(str(error).split())
                raise EditmillError(
                    f"{folder}: is no depth model that transformers can open ({said}); set "
                    f"{VARIABLE} to a folder or hub id such as {EXAMPLE}"
                ) from None
            self._processor = processor
            self._model = model.eval().requires_grad_(False).to(self._device)

    def close(self) -> None:
        """Frees the weights."""
        self._model = self._processor = None

    def disparity(self, frames: Frames) -> Depth:
        """What the model says of each frame by itself, [T, H, W, 3] to float32 [T, H, W]."""
        import torch

        self.load()
        model, processor = self._model, self._processor
        height, width = frames.shape[1:3]
        found = np.empty(frames.shape[:3], np.float32)
        for first in range(0, len(frames), BATCH):
            batch = list(frames[first : first + BATCH])
            inputs = processor(images=batch, return_tensors="pt").to(self._device)
            with torch.inference_mode():
                answer: torch.Tensor = model(**inputs).predicted_depth
            for offset, small in enumerate(answer.float().cpu().numpy()):
                found[first + offset] = cv2.resize(
                    small, (width, height), interpolation=cv2.INTER_CUBIC
                )
        return found


def steadied(disparity: Depth, smooth: float = SMOOTH) -> Depth:
    """Frames whose median and spread change no quicker than over `smooth` frames; same shape."""
    middle = np.median(disparity, axis=(1, 2))
    spread = np.abs(disparity - middle[:, None, None]).mean(axis=(1, 2))
    spread = np.maximum(spread, 1e-6)
    wanted_middle, wanted_spread = _smoothed(middle, smooth), _smoothed(spread, smooth)
    gain = (wanted_spread / spread)[:, None, None]
    return np.asarray(
        (disparity - middle[:, None, None]) * gain + wanted_middle[:, None, None], np.float32
    )


def greys(disparity: Depth) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """0–255 [T, H, W], near is bright, and the clip's two quantiles that became 0 and 255.

    A clip of one depth is black.
    """
    low, high = (float(q) for q in np.quantile(disparity, QUANTILES))
    scaled = (disparity - low) * (255 / (high - low)) if high > low else disparity * 0
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8), (low, high)


def checkpoint() -> Path:
    """The folder of the checkpoint that `EDITMILL_DEPTH` names, fetched from the hub if need be.

    Raises EditmillError, in one line that says what to set.
    """
    chosen = os.environ.get(VARIABLE, "")
    if not chosen:
        raise EditmillError(
            "the depth tasks need a depth model, which no package registry carries: set "
            f"{VARIABLE} to a folder or hub id of one, for instance {VARIABLE}={EXAMPLE}"
        )
    folder = Path(chosen).expanduser()
    if not folder.is_dir():
        folder = _from_hub(chosen)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise EditmillError(
            f"{folder}: is no depth model ({', '.join(missing)} missing); set {VARIABLE} to a "
            f"folder with {', '.join(FILES)}, or to a hub id such as {EXAMPLE}"
        )
    return folder


@functools.cache
def _from_hub(name: str) -> Path:
    import huggingface_hub

    try:
        offline = os.environ.get("EDITMILL_OFFLINE", "0") not in ("", "0")
        return Path(
            huggingface_hub.snapshot_download(
                name, allow_patterns=list(FILES), local_files_only=offline
            )
        )
    except Exception as error:  # the hub's client has a dozen kinds, none of them our fault
        said = " ".join(str(error).split())[:200]
        raise EditmillError(
            f"{VARIABLE}={name}: is neither a folder here nor to be had from the hub ({said}); "
            f"set it to the folder of a downloaded model, or to a hub id such as {EXAMPLE}"
        ) from None


@functools.cache
def _fingerprint(folder: str) -> str:
    return digest([file_digest(Path(folder) / name) for name in FILES])


def _transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise EditmillError(
            "the depth tasks need transformers, which is not installed; "
            "install it with: pip install 'editmill[gpu]'"
        ) from None
    return transformers


def _smoothed(values: NDArray[np.float32], sigma: float) -> NDArray[np.float64]:
    """A Gaussian mean over time; at the ends over the frames that are there."""
    offsets = np.arange(len(values))
    weights = np.exp(-0.5 * np.square((offsets[:, None] - offsets) / sigma))
    return np.asarray(weights @ values.astype(np.float64) / weights.sum(axis=1))
