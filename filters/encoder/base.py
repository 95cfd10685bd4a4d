"""What the filters ask of an encoder, whichever serves the slot `encode`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from experts.base import Frames, Masks, Model

View = tuple[Frames, Masks | None]
"""Frames [T, h, w, 3] of one side of a pair, and the edit's mask [T, h', w'] if it has one."""

Vectors = NDArray[np.float32]
"""[N, D]."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """What an encoder says of T frames: `embedding` [T, D], by whose cosines frames are compared.

    One that can say more gives a class of its own.
    """

    embedding: Vectors


class Encoder(Model, Protocol):
    """Frames and texts to vectors. Shared by all filters and by threads."""

    @property
    def scale(self) -> str:
        """What its similarities are similarities of. A threshold holds for one scale only: see
        filters.calibration."""
        ...

    def encode(self, views: Sequence[View]) -> Sequence[Encoding]:
        """Each view's frames, looked at as this encoder does: a box around the mask, or whole."""
        ...

    def texts(self, texts: Sequence[str]) -> Vectors:
        """[n, D'], rows of length one."""
        ...
