"""What an image-text encoder says of an edit: does it show the prompt, is it steady in time.

An encoder is anything with `images` and `texts`. Its cosines live on a scale of its own: a figure
compares only with one of the same checkpoint, and with a published one only if that is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from filters.metrics import PerFrame

Vectors = NDArray[np.float32]
"""[N, D], rows of length one."""

SMALLEST_REGION = 32
"""px; the least side of the square cut out around an edit: less is a blur at an encoder's size."""


class ImageEmbeddings(NamedTuple):
    """N images as unit vectors: `visual` to compare images with one another, `textual` to compare
    them with texts. A CLIP has one space for both and gives the same vectors twice.
    """

    visual: Vectors
    textual: Vectors


class ImageTextEncoder(Protocol):
    """Images and texts to vectors of length one."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def is_clip(self) -> bool:
        """Whether its figures may stand beside published ones at all."""
        ...

    def load(self) -> None: ...

    def images(self, frames: Sequence[NDArray[np.uint8]]) -> ImageEmbeddings:
        """RGB frames [h, w, 3] of one common size."""
        ...

    def texts(self, texts: Sequence[str]) -> Vectors: ...


def clip_score(images: Vectors, text: Vectors) -> PerFrame:
    """Cosine of each frame [T, D] and the prompt [D], −1…1 (CLIPScore of Señorita-2M).

    Neither clipped at zero nor multiplied by 2.5 as Hessel et al. (EMNLP 2021) do: the published
    .29 is a plain cosine. VIVID's TA is this of the edited regions, times 100.
    """
    return np.asarray(_unit(images) @ _unit(text), np.float64)


def temporal_consistency(images: Vectors) -> PerFrame:
    """Cosine of each frame and the next, −1…1, from [T, D] to [T − 1]; nothing for a single frame.

    Señorita-2M's temporal consistency; VIVID's TC is the same times 100. It sees what frames show,
    not how they flicker: see Ewarp.
    """
    unit = _unit(images)
    return np.asarray((unit[:-1] * unit[1:]).sum(axis=-1), np.float64)


def regions(frames: NDArray[np.uint8], masks: NDArray[np.bool_]) -> list[NDArray[np.uint8]]:
    """Of each frame that has one, the square around its mask [s, s, 3] (VIVID's "edited region").

    The square lies within the frame, at least SMALLEST_REGION px wide; where the frame is too
    small for it, it is cut to a rectangle. An encoder that crops centrally so sees the whole edit.
    """
    found = []
    for frame, mask in zip(frames, masks, strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            continue
        side = max(int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1, SMALLEST_REGION)
        y, x = (_span(i, side, n) for i, n in ((rows, mask.shape[0]), (columns, mask.shape[1])))
        found.append(frame[y, x])
    return found


def _span(at: NDArray[np.intp], side: int, length: int) -> slice:
    """`side` indices around the middle of `at`, moved to lie within `length`."""
    side = min(side, length)
    first = (int(at[0]) + int(at[-1]) + 1 - side) // 2
    first = min(max(first, 0), length - side)
    return slice(first, first + side)


def _unit(vectors: Vectors) -> Vectors:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
