"""The embedded encoder in a CLIP's place: good for comparing one's own edits, for nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from filters.encoder.embedded import EmbeddedEncoder
from filters.metrics.similarity import ImageEmbeddings, Vectors


class StandIn:
    """:class:`filters.encoder.embedded.EmbeddedEncoder` as an image-text encoder.

    Frames are compared with one another by EfficientNet's embedding, with texts by ConSE, which
    reaches no further than a thousand class names: no figure of a CLIP stands beside these.
    """

    is_clip = False

    def __init__(self, encoder: EmbeddedEncoder | None = None) -> None:
        self._encoder = encoder or EmbeddedEncoder()
        self.name = self._encoder.name

    @property
    def version(self) -> str:
        return self._encoder.version

    def load(self) -> None:
        """Opens the weights; raises EditmillError if they can't be had."""
        self._encoder.load()

    def images(self, frames: Sequence[NDArray[np.uint8]]) -> ImageEmbeddings:
        """RGB frames [h, w, 3] of one common size."""
        encoded = self._encoder.images(frames)
        length = np.linalg.norm(encoded.embedding, axis=1, keepdims=True)
        visual = encoded.embedding / np.maximum(length, 1e-12)
        return ImageEmbeddings(visual, self._encoder.conse(encoded.classes))

    def texts(self, texts: Sequence[str]) -> Vectors:
        """[n, 384]."""
        return self._encoder.texts(texts)
