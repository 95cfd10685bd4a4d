"""Whether footage is safe for work.

Embedded: Yahoo's open_nsfw (2016), which knows pornographic pictures and little else; its authors
advise to take 0.8 and more for certain. Another image classifier of the user's, a folder or a hub
id with its commit in transformers' own layout, is named by `EDITMILL_NSFW` and takes its place.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import EditmillError
from experts.checkpoint import Kind
from experts.providers.pretrained import pretrained
from experts.threads import one_for_torch
from filters.footage.onnx import OnnxModel

VARIABLE = "EDITMILL_NSFW"
"""Names the checkpoint: a folder, or `owner/name@<commit>` on the hub."""

CHECKPOINT = Kind(
    what="NSFW classifier",
    files=("config.json", "model.safetensors", "preprocessor_config.json"),
    option=VARIABLE,
    example="Falconsai/nsfw_image_detection",
    library="transformers",
    package="transformers",
    extra="depth",
)
"""Weights only as safetensors, which cannot run code."""

UNSAFE = {"nsfw", "unsafe", "porn", "pornography", "sexy", "hentai", "nude", "nudity", "explicit"}
"""Names of classes, in lower case, whose probabilities are added up."""

MEAN_BGR = (104, 117, 123)
ENTRANCE, CROP = 256, 224
"""open_nsfw's preprocessing: levels, and px of the scaled and of the cropped square."""


class OpenNsfw(OnnxModel):
    """Yahoo's network. Thread-safe once loaded."""

    name = "open_nsfw"
    slots = ("open_nsfw",)

    def look(self, frames: NDArray[np.uint8]) -> dict[str, float]:
        """`nsfw`: the highest probability among the frames, RGB [n, h, w, 3]."""
        session = self.session
        edge = (ENTRANCE - CROP) // 2
        squares = [cv2.resize(f, (ENTRANCE, ENTRANCE))[edge:-edge, edge:-edge] for f in frames]
        batch = np.stack(squares)[..., ::-1].astype(np.float32) - np.array(MEAN_BGR, np.float32)
        (found,) = session.run(None, {session.get_inputs()[0].name: batch})
        return {"nsfw": float(found[:, 1].max())}


class CheckpointNsfw:
    """An image classifier behind transformers' interface. Thread-safe once loaded."""

    name = "nsfw_checkpoint"
    slots = ()

    def __init__(self, where: str) -> None:
        self._where = where
        self._model: Any = None
        self._processor: Any = None
        self._unsafe: list[int] = []
        self._loading = threading.Lock()

    @property
    def version(self) -> str:
        """Of the checkpoint's bytes and the library that runs it. Raises EditmillError, one line,
        where either is missing; nothing is loaded."""
        return f"1+{CHECKPOINT.version(self._where)}"

    def load(self) -> None:
        """Opens the checkpoint; raises EditmillError, one line, if it cannot be had or none of its
        classes is one of UNSAFE."""
        with self._loading:
            if self._model is not None:
                return
            CHECKPOINT.installed()
            folder = CHECKPOINT.folder(self._where)
            import transformers

            one_for_torch()
            try:
                processor = transformers.AutoImageProcessor.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False
                )
                model = pretrained(transformers.AutoModelForImageClassification, folder)
            except Exception as error:  # whatever is wrong with somebody's files
                raise CHECKPOINT.unreadable(folder, error) from None
            labels = {int(i): str(label) for i, label in model.config.id2label.items()}
            self._unsafe = [i for i, label in labels.items() if label.lower() in UNSAFE]
            if not self._unsafe:
                raise EditmillError(
                    f"{folder}: none of its classes ({', '.join(sorted(labels.values())[:8])}) "
                    f"says that a picture is unsafe; set {VARIABLE} to a classifier with one of: "
                    f"{', '.join(sorted(UNSAFE))}"
                )
            self._processor = processor
            self._model = model.eval().requires_grad_(False)

    def close(self) -> None:
        """Frees the weights."""
        self._model = self._processor = None

    def look(self, frames: NDArray[np.uint8]) -> dict[str, float]:
        """`nsfw`: the highest probability among the frames, RGB [n, h, w, 3]."""
        import torch

        self.load()
        inputs = self._processor(images=list(frames), return_tensors="pt")
        with torch.inference_mode():
            shares = self._model(**inputs).logits.float().softmax(-1)
        return {"nsfw": float(shares[:, self._unsafe].sum(-1).max())}


def chosen() -> str:
    """The user's checkpoint, empty where open_nsfw serves."""
    return os.environ.get(VARIABLE, "")
