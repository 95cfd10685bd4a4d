"""Wan-VACE (Jiang et al., ICCV 2025): one model that repaints video inside masks; Apache-2.0.

VACE is given a video and its masks: black is kept, white is painted. A painted place is grey in the
video, or holds the footage's structure (a drawing of its outlines, or its luminance), which is then
followed. A frame that is known, such as one that an image editor made, stands in the video under a
black mask, and the model carries it through the others. So do the last frames of one window in the
next, where a clip is longer than the model's window.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from catalog.errors import EditmillError
from catalog.keys import digest
from experts.base import EditRequest, EditResult, Frames, Masks
from experts.edit.diffusers_model import DiffusersModel, resized, resized_masks, working_size
from experts.edit.first_frame.diffusers_editor import picture
from experts.edit.first_frame.editor import Image, ImageEditor
from experts.edit.video.painting import (
    GENERATED,
    GROW,
    GROW_SWAP,
    Painting,
    painted_frame,
    painting,
)
from experts.edit.video.structure import Structure, StructureMap
from experts.edit.video.windows import TEMPORAL, ClipWindow, windows
from experts.licences import OutputLicence, combined
from experts.masks.feather import FEATHER, pasted
from experts.providers.bounds import Dtype
from experts.providers.hub_model import AUTO

GREY = 128
"""Of a place to be painted: 127.5 in the authors' own code."""

MULTIPLE = 16
"""px that both sides are multiples of: 8 to a latent, two latents to a token."""


def _whole_latents(frames: int) -> int:
    if frames % TEMPORAL != 1:
        raise ValueError(f"{frames} frames are no whole number of latents; give 4n + 1")
    return frames


class WanVACE(DiffusersModel):
    """Serves the tasks of `GENERATED`. `first_frame` edits the first frame of swaps and of global
    styles (in a swap: the first that shows the object); without one the prompt alone says what is
    painted.

    `steps` of denoising and `guidance`: those of the authors' example in diffusers. `shift` of the
    noise schedule and `max_pixels`: None takes what suits the checkpoint (480p: 3 and 480×832,
    720p: 5 and 720×1280). `frames` are made at a time, 4n + 1 (trained: 81), of which `overlap` are
    the last of the window before. `grow` and `grow_swap` dilate the masks of removals and of swaps
    (:mod:`experts.edit.video.painting`); `feather` px inside them the painting fades in.
    `structure` is what a style follows.

    `info`: `model_size` (frames, height, width), `windows`, `steps`, `guidance`, `shift`, and
    `first_frame`, the image editor that was used, or empty.
    """

    slot = "edit"
    provider_name = "wan_vace"
    pipeline = "WanVACEPipeline"
    trained_pixels: ClassVar[int] = 480 * 832
    usual_shift: ClassVar[float] = 3.0
    tasks: ClassVar[tuple[str, ...]] = GENERATED

    def __init__(
        self,
        first_frame: ImageEditor | None = None,
        *,
        checkpoint: str = "",
        device: str = AUTO,
        dtype: Dtype = AUTO,
        offload: bool = False,
        tiling: bool = False,
        steps: PositiveInt = 30,
        guidance: NonNegativeFloat = 5.0,
        shift: PositiveFloat | None = None,
        max_pixels: PositiveInt | None = None,
        frames: Annotated[int, Field(ge=5), AfterValidator(_whole_latents)] = 81,
        overlap: PositiveInt = 5,
        grow: NonNegativeFloat = GROW,
        grow_swap: NonNegativeFloat = GROW_SWAP,
        feather: PositiveFloat = FEATHER,
        structure: Structure = "scribble",
    ) -> None:
        super().__init__(
            checkpoint=checkpoint, device=device, dtype=dtype, offload=offload, tiling=tiling
        )
        if overlap >= frames:
            raise EditmillError(f"{self.name}: `overlap` {overlap} must be below `frames` {frames}")
        self.first_frame = first_frame
        self._steps, self._guidance = steps, guidance
        self._shift = self.usual_shift if shift is None else shift
        self._max_pixels = self.trained_pixels if max_pixels is None else max_pixels
        self._frames, self._overlap = frames, overlap
        self._grow, self._grow_swap, self._feather = grow, grow_swap, feather
        self._structure = StructureMap(structure)

    @property
    def version(self) -> str:
        """Includes that of the image editor for first frames, and of what finds the structure."""
        first = "" if self.first_frame is None else f"+{digest(self.first_frame.version)[:8]}"
        return f"{super().version}{first}"

    @property
    def slots(self) -> tuple[str, ...]:
        """Slots of the manifest that it opens."""
        return (*self._structure.slots, *getattr(self.first_frame, "slots", ()))

    @property
    def parts(self) -> tuple[ImageEditor, ...]:
        """Models that it is put together from, beside its own."""
        return () if self.first_frame is None else (self.first_frame,)

    @property
    def output_licence(self) -> OutputLicence | None:
        """Its own, and that of the image editor for first frames."""
        licences = [super().output_licence, *(part.output_licence for part in self.parts)]
        return combined(licences)

    def load(self) -> None:
        """Opens the checkpoint and the image editor's."""
        super().load()
        for part in self.parts:
            part.load()

    def edit(self, request: EditRequest) -> EditResult:
        """The request's frames, repainted. Raises BadInput: `no_mask`, `no_replacement`,
        `unknown_task`."""
        asked = painting(request, self._grow, self._grow_swap)
        self.load()
        height, width = request.frames.shape[1:3]
        size = working_size(height, width, MULTIPLE, self._max_pixels)
        known = self._first(request, asked)
        made, info = self._carried(request, asked, size, known)
        made = resized(made, (height, width))
        info["first_frame"] = "" if known is None else getattr(self.first_frame, "name", "")
        if asked.masks is None:
            return EditResult(made, None, info)
        frames = pasted(request.frames, made, asked.masks, self._feather)
        return EditResult(frames, asked.masks, info)

    def _settings(self) -> tuple[object, ...]:
        return (
            *(self._steps, self._guidance, self._shift, self._max_pixels),
            *(self._frames, self._overlap, self._grow, self._grow_swap, self._feather),
            self._structure.version,
        )

    def _dtypes(self) -> Any:
        import torch

        return {"default": self.dtype, "vae": torch.float32}  # its authors' advice

    def _open(self, folder: Path) -> Any:
        from diffusers import UniPCMultistepScheduler

        pipe = self._pipeline(folder)
        pipe.scheduler = UniPCMultistepScheduler.from_config(
            pipe.scheduler.config,
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            flow_shift=self._shift,
        )
        return self._placed(pipe)

    def _first(self, request: EditRequest, asked: Painting) -> tuple[int, Image] | None:
        """The frame that the image editor makes, and its number; None where there is none."""
        if self.first_frame is None or not asked.frame_prompt:
            return None
        number = 0 if asked.masks is None else int(asked.masks.any(axis=(1, 2)).argmax())
        return number, painted_frame(self.first_frame, request, asked, number)

    def _carried(
        self,
        request: EditRequest,
        asked: Painting,
        size: tuple[int, int],
        known: tuple[int, Image] | None,
    ) -> tuple[Frames, dict[str, Any]]:
        """All frames at the model's size, window by window."""
        frames = resized(request.frames, size)
        shape = frames.shape[:3]
        masks = np.ones(shape, bool) if asked.masks is None else resized_masks(asked.masks, size)
        given = np.full_like(frames, GREY)
        if asked.structure:
            given = self._structure.of(frames)
        given = np.where(masks[..., None], given, frames)
        inside = masks.copy()[..., None]
        if known is not None:
            number, made = known
            given[number], masks[number] = resized(made[None], size)[0], False
        cut = list(windows(len(frames), self._frames, self._overlap))
        for k, window in enumerate(cut):
            new = slice(window.done, window.stop)
            if masks[new].any():
                seed = int(digest(request.seed, k)[:15], 16) if k else request.seed
                out = self._window(window, given, masks, asked, seed)[window.done - window.start :]
                given[new] = np.where(inside[new], out, given[new])
                masks[new] = False  # known to the next window
        info = {
            "model_size": [len(cut[0].indices), *size],
            "windows": len(cut),
            "steps": self._steps,
            "guidance": self._guidance,
            "shift": self._shift,
        }
        return given, info

    def _window(
        self, window: ClipWindow, given: Frames, masks: Masks, asked: Painting, seed: int
    ) -> Frames:
        """The window's frames as the model makes them, [stop − start, H, W, 3]."""
        height, width = given.shape[1:3]
        pipe = self._models
        with self._calling:
            out = pipe(
                prompt=asked.prompt,
                negative_prompt=asked.negative_prompt,
                video=[picture(given[k]) for k in window.indices],
                mask=[picture(masks[k]) for k in window.indices],
                height=height,
                width=width,
                num_frames=len(window.indices),
                num_inference_steps=self._steps,
                guidance_scale=self._guidance,
                generator=self._generator(seed),
                output_type="np",
            ).frames[0]
        made = np.rint(out * 255).astype(np.uint8)
        return np.asarray(made[: window.stop - window.start])


class WanVACE14B(WanVACE):
    """The same with the checkpoint of 14 B parameters, at 720p."""

    provider_name = "wan_vace_14b"
    trained_pixels = 720 * 1280
    usual_shift = 5.0
