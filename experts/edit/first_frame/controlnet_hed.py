"""Stable Diffusion 1.5 with ControlNet on HED edges: how Señorita-2M restyles a first frame."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from catalog.errors import EditmillError
from experts.checkpoint import Kind
from experts.edit.first_frame.diffusers_editor import DiffusersEditor, picture
from experts.edit.first_frame.editor import ImageEditRequest
from experts.instances import shared
from experts.masks.feather import FEATHER
from experts.providers.bounds import Dtype
from experts.providers.hub_model import AUTO

if TYPE_CHECKING:
    from experts.annotate.maps.edges import Hed

CONTROLNET = Kind(
    what="ControlNet for HED edges",
    files=("config.json", "*.safetensors"),
    option="`controlnet` of `models.first_frame`",
    example="lllyasviel/sd-controlnet-hed",
    library="diffusers",
    package="diffusers",
    extra="gpu",
)


class ControlNetHed(DiffusersEditor):
    """Paints what the prompt says along the image's edges; its colours come from the prompt alone.

    `controlnet` is the second checkpoint, a folder or `owner/name@<commit>`; `conditioning` says
    how strongly the edges bind (1: as trained). Edges that a request does not bring are found by
    the embedded HED. The pipeline's safety checker, which blackens pictures, is left out: what a
    dataset may hold, its filters decide.
    """

    provider_name = "controlnet_hed"
    pipeline = "StableDiffusionControlNetPipeline"
    card_steps = 20
    card_guidance = 7.5
    trained_pixels = 512 * 512
    slots = ("hed_bsds500",)

    def __init__(
        self,
        *,
        controlnet: str = "",
        conditioning: NonNegativeFloat = 1.0,
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
            checkpoint=checkpoint,
            device=device,
            dtype=dtype,
            offload=offload,
            tiling=tiling,
            steps=steps,
            guidance=guidance,
            max_pixels=max_pixels,
            feather=feather,
        )
        self._controlnet = controlnet
        self._conditioning = conditioning

    @property
    def version(self) -> str:
        """Includes the ControlNet's and the edge detector's."""
        return f"{super().version}+{CONTROLNET.version(self._folder())[:8]}+{self._hed.version}"

    @cached_property
    def _hed(self) -> Hed:
        from experts.annotate.maps.edges import Hed

        return shared(Hed)

    def _settings(self) -> tuple[object, ...]:
        return *super()._settings(), self._conditioning

    def _folder(self) -> Path:
        """The ControlNet's."""
        if not self._controlnet:
            raise EditmillError(
                f"{self.name}: which commit of {CONTROLNET.example} is not settled; set "
                f"{CONTROLNET.option} to a folder, or to {CONTROLNET.hub_example}"
            )
        return CONTROLNET.folder(self._controlnet)

    def _open(self, folder: Path) -> Any:
        import diffusers

        try:
            controlnet = diffusers.ControlNetModel.from_pretrained(
                self._folder(),
                dtype=self.dtype,
                use_safetensors=True,
                local_files_only=True,
            )
        except EditmillError:
            raise
        except Exception as error:  # whatever is wrong with somebody's files
            raise CONTROLNET.unreadable(self._folder(), error) from None
        pipe = self._pipeline(
            folder,
            controlnet=controlnet,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipe.scheduler = diffusers.UniPCMultistepScheduler.from_config(pipe.scheduler.config)
        return self._placed(pipe)

    def _multiple(self, pipe: Any) -> int:
        return int(pipe.vae_scale_factor)

    def _paint(self, pipe: Any, request: ImageEditRequest) -> np.ndarray:
        height, width = request.image.shape[:2]
        painted: np.ndarray = pipe(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt or None,
            image=picture(self._edges(request)),
            height=height,
            width=width,
            num_inference_steps=self._steps,
            guidance_scale=self._guidance,
            controlnet_conditioning_scale=float(self._conditioning),
            generator=self._generator(request.seed),
            output_type="np",
        ).images[0]
        return painted

    def _edges(self, request: ImageEditRequest) -> np.ndarray:
        if request.control is not None:
            return request.control
        self._hed.load()
        return np.repeat(self._hed.hed(request.image[None])[0][..., None], 3, axis=-1)
