"""A real CLIP as the filters' image and text encoder, from any checkpoint in open_clip's layout.

That is a folder, or a commit on the hub, with `open_clip_config.json` and the weights as
safetensors, as the LAION and DataComp ones are published, and OpenAI's by timm. The default is
LAION's ViT-L/14: the paper's size, under MIT, trained on public data. The paper (Señorita-2M) says
only "CLIP (Radford et al., 2021)"; OpenAI's two usual ones are
`timm/vit_large_patch14_clip_224.openai@18d0535469bb561bf468d76c1d73aa35156c922b` and
`timm/vit_base_patch32_clip_224.openai@a6f597a30f7b82c51704746581f9a4e41421e878`.

Frames are looked at whole, as the paper does: its thresholds are those of whole frames.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from experts.batching import Batches
from experts.providers.bounds import Dtype
from experts.providers.hub_model import AUTO, HubModel
from filters.encoder.base import Encoding, Vectors, View

CONFIG = "open_clip_config.json"

PRECISION = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
"""open_clip's name of torch's dtypes."""

BATCH = 34
"""Frames per forward: the two sides of a pair."""


class OpenClipEncoder(HubModel):
    """A checkpoint behind open_clip's interface. Thread-safe once loaded."""

    slot = "encode"
    provider_name = "open_clip"

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
        self._known_texts: dict[str, Vectors] = {}

    @property
    def scale(self) -> str:
        """The repository's name on the hub, or the folder's content."""
        if Path(self.checkpoint).expanduser().is_dir():
            return self.version
        return self.checkpoint.partition("@")[0]

    def encode(self, views: Sequence[View]) -> list[Encoding]:
        """Each view's frames, whole; masks are not looked at."""
        frames = [frame for side, _ in views for frame in side]
        vectors = self.embed(frames)
        ends = list(itertools.accumulate(len(side) for side, _ in views))
        return [Encoding(part) for part in np.split(vectors, ends[:-1])] if views else []

    def embed(self, frames: Sequence[NDArray[np.uint8]]) -> Vectors:
        """RGB frames [h, w, 3], each scaled and cropped as the checkpoint says, to [N, D], rows of
        length one."""
        self.load()
        rows = self._batches.over(frames, self._forward)
        return np.stack(rows) if rows else np.zeros((0, 0), np.float32)

    def _forward(self, frames: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        import torch
        from PIL import Image

        model, transform, _ = self._models
        batch = torch.stack([transform(Image.fromarray(frame)) for frame in frames])
        with torch.inference_mode():
            found = model.encode_image(batch.to(self.device, self.dtype))
        return list(_unit(found))

    def texts(self, texts: Sequence[str]) -> Vectors:
        """[n, D], rows of length one; a text beyond the checkpoint's context is cut.

        Each text is embedded alone and only once: a score must not depend on its company.
        """
        import torch

        self.load()
        model, _, tokenize = self._models
        for text in texts:
            if text not in self._known_texts:
                with torch.inference_mode():
                    found = model.encode_text(tokenize([text]).to(self.device))
                self._known_texts[text] = _unit(found)[0]
        rows = [self._known_texts[text] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, 0), np.float32)

    def _open(self, folder: Path) -> Any:
        import open_clip
        import torch

        logging.getLogger().addFilter(_is_not_open_clips)
        _refuse_other_models(folder)
        name = f"local-dir:{folder}"
        model, transform = open_clip.create_model_from_pretrained(
            name,
            device=torch.device(self.device),
            precision=PRECISION[str(self.dtype).removeprefix("torch.")],
            weights_only=True,
        )
        return model.eval().requires_grad_(False), transform, open_clip.get_tokenizer(name)


def _is_not_open_clips(record: logging.LogRecord) -> bool:
    """Of what is logged by the root logger itself, as open_clip tells its steps. The logger's level
    would silence everybody else's warnings, too."""
    return record.levelno >= logging.ERROR or "open_clip" not in Path(record.pathname).parts


def _unit(vectors: Any) -> Vectors:
    from torch.nn import functional as F

    found: Vectors = F.normalize(vectors.float(), dim=-1).cpu().numpy()
    return found


def _refuse_other_models(folder: Path) -> None:
    """open_clip fetches, from the hub and at whatever revision, what a configuration names."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if config["model_cfg"].get("text_cfg", {}).get("hf_model_name"):
        raise ValueError("its text side is another model on the hub; choose one that has its own")
