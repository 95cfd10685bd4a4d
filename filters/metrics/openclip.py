"""A real CLIP as the metrics' image-text encoder (`editmill evaluate --clip`): the filters' one
(filters.encoder.clip), from the checkpoint that a flag or `EDITMILL_CLIP` names."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experts.checkpoint import Kind
from experts.providers.hub_model import AUTO
from filters.encoder.clip import OpenClipEncoder
from filters.metrics.similarity import ImageEmbeddings

VARIABLE = "EDITMILL_CLIP"
"""Names the checkpoint: a folder, or `owner/name@<commit>` on the hub."""


class OpenClip(OpenClipEncoder):
    """A checkpoint behind open_clip's interface. Thread-safe once loaded."""

    is_clip = True

    def __init__(self, where: str, device: str = AUTO) -> None:
        super().__init__(checkpoint=where, device=device, dtype="float32")

    @property
    def name(self) -> str:
        return f"open_clip {Path(self.checkpoint).name}"

    def images(self, frames: Sequence[NDArray[np.uint8]]) -> ImageEmbeddings:
        """RGB frames [h, w, 3], each scaled and cropped as the checkpoint says."""
        vectors = self.embed(frames)
        return ImageEmbeddings(vectors, vectors)

    def _kind(self) -> Kind:
        return dataclasses.replace(super()._kind(), what="CLIP", option=f"{VARIABLE} or --clip")
