"""FLUX.1-Fill: what Señorita-2M paints the first frame of a swap with.

Its licence is non-commercial, and its outputs may not train a model that competes with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experts.edit.first_frame.diffusers_editor import DiffusersEditor, picture
from experts.edit.first_frame.editor import ImageEditRequest


class FluxFill(DiffusersEditor):
    """Paints inside the mask what the prompt says, and needs one. It takes no negative prompt."""

    provider_name = "flux_fill"
    pipeline = "FluxFillPipeline"
    needs_mask = True
    card_steps = 50
    card_guidance = 30.0

    def _paint(self, pipe: Any, request: ImageEditRequest) -> np.ndarray:
        height, width = request.image.shape[:2]
        assert request.mask is not None
        painted: np.ndarray = pipe(
            prompt=request.prompt,
            image=picture(request.image),
            mask_image=picture(request.mask),
            height=height,
            width=width,
            num_inference_steps=self._steps,
            guidance_scale=self._guidance,
            generator=self._generator(request.seed),
            output_type="np",
        ).images[0]
        return painted
