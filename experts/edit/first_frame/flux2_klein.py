"""FLUX.2 [klein] 4B: edits an image as the prompt says, in four steps; Apache-2.0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from experts.edit.first_frame.diffusers_editor import DiffusersEditor, picture
from experts.edit.first_frame.editor import ImageEditRequest


class Flux2Klein(DiffusersEditor):
    """With a mask it inpaints, without one it edits the whole image. It is distilled, so that
    guidance has no effect, and takes no negative prompt."""

    provider_name = "flux2_klein"
    pipeline = "Flux2KleinInpaintPipeline"
    card_steps = 4
    card_guidance = 1.0
    least_side = 64  # the pipeline refuses less

    def _open(self, folder: Path) -> Any:
        import diffusers

        inpaint = self._placed(self._pipeline(folder))
        distilled = inpaint.config.is_distilled
        whole = diffusers.Flux2KleinPipeline(**inpaint.components, is_distilled=distilled)
        return inpaint, self._placed(whole)

    def _multiple(self, pipe: Any) -> int:
        return super()._multiple(pipe[0])

    def _paint(self, pipe: Any, request: ImageEditRequest) -> np.ndarray:
        height, width = request.image.shape[:2]
        inpaint, whole = pipe
        common = {
            "prompt": request.prompt,
            "image": picture(request.image),
            "height": height,
            "width": width,
            "num_inference_steps": self._steps,
            "guidance_scale": self._guidance,
            "generator": self._generator(request.seed),
            "output_type": "np",
        }
        if request.mask is None:
            result = whole(**common)
        else:  # strength 1: nothing of what the mask hides is kept
            result = inpaint(**common, mask_image=picture(request.mask), strength=1.0)
        painted: np.ndarray = result.images[0]
        return painted
