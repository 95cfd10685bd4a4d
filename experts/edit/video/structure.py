"""The structure of footage that a style keeps, as VACE was shown it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from experts.base import Frames
from experts.instances import ready, shared

if TYPE_CHECKING:
    from experts.annotate.maps.edges import Hed

Structure = Literal["scribble", "gray"]
"""Outlines, which leave colour, light and material open, or luminance, which leaves colour open.
VACE was also trained on depth, pose and flow."""


class StructureMap:
    """Dark outlines on white, by HED (VACE's own come from another network), or luminance."""

    def __init__(self, kind: Structure) -> None:
        self._kind = kind

    @property
    def slots(self) -> tuple[str, ...]:
        """Slots of the manifest that it opens."""
        return ("hed_bsds500",) if self._kind == "scribble" else ()

    @property
    def version(self) -> str:
        """Of the map, and of the model behind it."""
        return f"scribble+{self._hed.version}" if self._kind == "scribble" else self._kind

    def of(self, frames: Frames) -> Frames:
        """The map of each frame, the same in all three channels; [T, H, W, 3]."""
        if self._kind == "scribble":
            grey = 255 - ready(self._hed).hed(frames)
        else:
            grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])
        return np.repeat(grey[..., None], 3, axis=-1)

    @cached_property
    def _hed(self) -> Hed:
        from experts.annotate.maps.edges import Hed

        return shared(Hed)
