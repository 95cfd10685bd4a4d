"""An image editor that is a diffusers pipeline: sizes, seeds and pasting, common to all of them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from catalog.errors import BadInput
from experts.edit.diffusers_model import DiffusersModel, resized, resized_masks, working_size
from experts.edit.first_frame.editor import Image, ImageEditRequest
from experts.masks.feather import FEATHER, pasted
from experts.providers.bounds import Dtype
from experts.providers.hub_model import AUTO

MEGAPIXEL = 1024 * 1024
"""px that FLUX and Qwen-Image were trained at (their model cards)."""


class DiffusersEditor(DiffusersModel):
    """Paints at the nearest size that its pipeline takes, of at most `max_pixels` px, and brings
    the result back to the request's own.

    `steps` of denoising and `guidance` towards the prompt: None takes the model card's, which a
    subclass names (`card_steps`, `card_guidance`). `max_pixels`: None takes what the model was
    trained at; an image with a side below `least_side` px is enlarged. `feather`: px inside the
    mask over which the painting fades in.
    """

    slot = "first_frame"
    needs_mask: ClassVar[bool] = False
    card_steps: ClassVar[int]
    card_guidance: ClassVar[float]
    trained_pixels: ClassVar[int] = MEGAPIXEL
    least_side: ClassVar[int] = 1

    def __init__(
        self,
        *,
        checkpoint: str = "",
        device: str = AUTO,
        dtype: Dtype = AUTO,
        offload: bool = False,
        tiling: bool = False,
        steps: PositiveInt | None = None,
        guidance: NonNegativeFloat | None = None,
        max_pixels: PositiveInt | None = None,
        feather: PositiveFloat = FEATHER,
    ) -> None:
        super().__init__(
            checkpoint=checkpoint, device=device, dtype=dtype, offload=offload, tiling=tiling
        )
        self._steps = self.card_steps if steps is None else steps
        self._guidance = self.card_guidance if guidance is None else guidance
        self._max_pixels = self.trained_pixels if max_pixels is None else max_pixels
        self._feather = feather

    def edit_image(self, request: ImageEditRequest) -> Image:
        """See :class:`experts.edit.first_frame.editor.ImageEditor`."""
        mask = request.mask
        if mask is None and self.needs_mask:
            raise BadInput("no_mask", f"{self.name} paints inside a mask; give one")
        if mask is not None and not mask.any():
            raise BadInput("no_mask", f"{self.name}: the mask is empty")
        self.load()
        height, width = request.image.shape[:2]
        pipe = self._models
        multiple = self._multiple(pipe)
        size = working_size(height, width, multiple, self._max_pixels, self.least_side)
        small = ImageEditRequest(
            image=resized(request.image[None], size)[0],
            mask=None if mask is None else resized_masks(mask[None], size)[0],
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            seed=request.seed,
            control=None if request.control is None else resized(request.control[None], size)[0],
        )
        with self._calling:
            painted = self._paint(pipe, small)
        made = resized(np.rint(painted * 255).astype(np.uint8)[None], (height, width))
        if mask is None:
            return made[0].copy()
        return pasted(request.image[None], made, mask[None], self._feather)[0]

    def _settings(self) -> tuple[object, ...]:
        return self._steps, self._guidance, self._max_pixels, self._feather

    def _multiple(self, pipe: Any) -> int:
        """px that both sides must be multiples of: a latent, and two of them to a token."""
        return int(2 * pipe.vae_scale_factor)

    @abstractmethod
    def _paint(self, pipe: Any, request: ImageEditRequest) -> np.ndarray:
        """The image that the pipeline paints, float [H, W, 3], 0–1, of the request's size."""


def picture(image: np.ndarray) -> Any:
    """A PIL image of RGB [H, W, 3] or of a mask [H, W]."""
    import PIL.Image

    return PIL.Image.fromarray(image.astype(np.uint8) * 255 if image.dtype == bool else image)
