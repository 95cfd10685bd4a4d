"""A real CLIP as image-text encoder, from a checkpoint of the user's in open_clip's own layout.

No package registry carries a CLIP. The checkpoint is a folder, or a commit on the hub, named by a
flag or by `EDITMILL_CLIP`, with `open_clip_config.json` and `open_clip_model.safetensors`, as the
LAION and DataComp ones are published. open_clip itself is an extra: `pip install -e '.[clip]'`.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from experts.checkpoint import Kind
from filters.metrics.similarity import ImageEmbeddings, Vectors

VARIABLE = "EDITMILL_CLIP"
"""Names the checkpoint: a folder, or `owner/name@<commit>` on the hub."""

CHECKPOINT = Kind(
    what="CLIP",
    files=("open_clip_config.json", "open_clip_model.safetensors"),
    option=f"{VARIABLE} or --clip",
    example="laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
    library="open_clip",
    package="open-clip-torch",
    extra="clip",
)
"""Weights only as safetensors, which cannot run code. Without them open_clip would go on with
random ones."""

BATCH = 16
"""Images per forward."""


class OpenClip:
    """A checkpoint behind open_clip's interface. Thread-safe once loaded."""

    is_clip = True

    def __init__(self, where: str, device: str = "cpu") -> None:
        self.name = f"open_clip {Path(where).name}"
        self._where = where
        self._device = device
        self._model: Any = None
        self._transform: Any = None
        self._tokenize: Any = None
        self._loading = threading.Lock()

    @property
    def version(self) -> str:
        """Of the checkpoint's bytes and the library that runs it. Raises EditmillError, one line,
        where either is missing; nothing is loaded."""
        return f"1+{CHECKPOINT.version(self._where)}"

    def load(self) -> None:
        """Opens the checkpoint; raises EditmillError, one line, if it cannot be had."""
        with self._loading:
            if self._model is not None:
                return
            CHECKPOINT.installed()
            folder = CHECKPOINT.folder(self._where)
            import open_clip

            logging.getLogger("root").setLevel(logging.ERROR)  # open_clip tells its steps there
            name = f"local-dir:{folder}"
            try:
                _refuse_other_models(folder)
                model, transform = open_clip.create_model_from_pretrained(
                    name, device=self._device, weights_only=True
                )
                tokenize = open_clip.get_tokenizer(name)
            except Exception as error:  # whatever is wrong with somebody's files
                raise CHECKPOINT.unreadable(folder, error) from None
            self._transform, self._tokenize = transform, tokenize
            self._model = model.eval().requires_grad_(False)

    def images(self, frames: Sequence[NDArray[np.uint8]]) -> ImageEmbeddings:
        """RGB frames [h, w, 3], each scaled and cropped as the checkpoint says."""
        from PIL import Image

        self.load()
        rows = []
        for first in range(0, len(frames), BATCH):
            pictures = [Image.fromarray(f) for f in frames[first : first + BATCH]]
            batch = torch.stack([self._transform(picture) for picture in pictures])
            with torch.inference_mode():
                rows.append(self._model.encode_image(batch.to(self._device), normalize=True))
        vectors = torch.cat(rows).float().cpu().numpy()
        return ImageEmbeddings(vectors, vectors)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """[n, D]; a text beyond the checkpoint's context is cut."""
        self.load()
        with torch.inference_mode():
            tokens = self._tokenize(list(texts)).to(self._device)
            found: Vectors = self._model.encode_text(tokens, normalize=True).float().cpu().numpy()
        return found


def _refuse_other_models(folder: Path) -> None:
    """open_clip fetches, from the hub and at whatever revision, what a configuration names."""
    config = json.loads((folder / CHECKPOINT.files[0]).read_text(encoding="utf-8"))
    if config["model_cfg"].get("text_cfg", {}).get("hf_model_name"):
        raise ValueError("its text side is another model on the hub; choose one that has its own")
