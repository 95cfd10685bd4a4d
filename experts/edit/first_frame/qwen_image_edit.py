"""Qwen-Image-Edit-2511: edits an image by an instruction; Apache-2.0."""

from __future__ import annotations

from typing import Any

import numpy as np

from experts.edit.first_frame.diffusers_editor import DiffusersEditor, picture
from experts.edit.first_frame.editor import ImageEditRequest


class QwenImageEdit(DiffusersEditor):
    """It is not told the mask: it edits the whole image, of which the part in the mask is kept.

    It always looks at its input with 384² px for the words and 1024² px for the picture;
    `max_pixels` bounds what it paints.
    """

    provider_name = "qwen_image_edit"
    pipeline = "QwenImageEditPlusPipeline"
    card_steps = 40
    card_guidance = 4.0

    def _paint(self, pipe: Any, request: ImageEditRequest) -> np.ndarray:
        height, width = request.image.shape[:2]
        painted: np.ndarray = pipe(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt or " ",  # without any, guidance is off
            image=[picture(request.image)],
            height=height,
            width=width,
            num_inference_steps=self._steps,
            true_cfg_scale=self._guidance,
            generator=self._generator(request.seed),
            output_type="np",
        ).images[0]
        return painted
