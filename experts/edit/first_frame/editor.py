"""One image edited by words: what a video editor then carries through a clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from experts.base import Model
from experts.licences import OutputLicence

Image = NDArray[np.uint8]
"""RGB, [H, W, 3], 0–255."""


@dataclass(frozen=True, slots=True)
class ImageEditRequest:
    """`image` [H, W, 3]; `mask` [H, W] where it may change, None for everywhere. `prompt` describes
    the edited image. `control` [H, W, 3] is a map of the structure to keep, for an editor that
    takes one; None has it computed."""

    image: Image
    mask: NDArray[np.bool_] | None = None
    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 0
    control: Image | None = None


@runtime_checkable
class ImageEditor(Model, Protocol):
    """Same request, same seed, same machine: same bytes. Never modifies its input."""

    @property
    def output_licence(self) -> OutputLicence | None:
        """Under which licence what it paints stands; None where that is not known."""
        ...

    def edit_image(self, request: ImageEditRequest) -> Image:
        """The edited image, [H, W, 3]; outside the mask the request's, bit for bit. Raises BadInput
        (`no_mask`) for a mask that is empty, or missing where the editor needs one."""
        ...
