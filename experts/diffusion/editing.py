"""A trained editor as an `experts.base.Expert`: it edits by an instruction or a caption.

The request's `prompt` is the instruction (Señorita-2M's editors) or the local caption (VIVID's).
Its `params["first_frame"]`, uint8 [H, W, 3] of the frames' size, is the edited first frame that
Señorita's editor is conditioned on, or the edited keyframe that VIVID's propagates through the clip
(KIVE). Each further window of a long clip is conditioned on the last frame of the one before.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from catalog.errors import BadInput
from experts.base import EditRequest, EditResult, Frames, Masks
from experts.diffusion.expert import CogVideoXExpert
from experts.diffusion.latents import Size
from experts.diffusion.sampling.sampler import Prompts

FIRST_FRAME = "first_frame"


class CogVideoXEditor(CogVideoXExpert):
    """A version of an editor; see `CogVideoXExpert`."""

    def edit(self, request: EditRequest) -> EditResult:
        """The request's frames, edited; a keyframe is kept as it is inside the mask.

        Raises BadInput where a first frame is missing (`no_first_frame`), of another size
        (`first_frame_size`) or not used (`unused_first_frame`), and where a local edit has no mask
        (`no_mask`).
        """
        first = self._first(request)
        result = super().edit(request)
        if first is None or result.masks is None:
            return result
        frames = result.frames.copy()
        frames[:1][result.masks[:1]] = first[result.masks[:1]]
        return dataclasses.replace(result, frames=frames)

    def _first(self, request: EditRequest) -> Frames | None:
        """The request's first frame, [1, H, W, 3]."""
        given = request.params.get(FIRST_FRAME)
        if given is None:
            if self.spec.first_frame:
                raise BadInput(
                    "no_first_frame", f"{self.spec.name} needs an edited first frame; give one"
                )
            return None
        if not self._chained:
            raise BadInput(
                "unused_first_frame", f"{self.spec.name} takes no first frame; leave it out"
            )
        if given.shape != request.frames.shape[1:]:
            raise BadInput(
                "first_frame_size",
                f"the first frame is {given.shape[1]}×{given.shape[0]}, the video "
                f"{request.frames.shape[2]}×{request.frames.shape[1]}; bring it to that size",
            )
        return np.asarray(given)[None]

    def _guide(self, request: EditRequest) -> EditResult | None:
        first = self._first(request)
        return None if first is None else EditResult(first, request.masks)

    def _size(self, count: int, height: int, width: int) -> Size:
        size = super()._size(count, height, width)
        # It is trained on images, too: a keyframe can be edited by itself.
        return (1, *size[1:]) if self.spec.keyframe and count == 1 else size

    def _window(
        self,
        frames: Frames,
        masks: Masks | None,
        first: Frames | None,
        prompts: Prompts,
        seed: int,
        size: Size,
    ) -> Frames:
        if masks is None:
            return super()._window(frames, masks, first, prompts, seed, size)
        if first is not None:  # as in training: the first frame is not masked
            frames = np.concatenate([first, frames[1:]])
            masks = np.concatenate([np.zeros_like(masks[:1]), masks[1:]])
        if not masks.any():
            return frames
        made = super()._window(frames, masks, None, prompts, seed, size)
        # Unmasked pixels are copied: the autoencoder's losses would add up over the windows.
        return np.where(masks[..., None], made, frames)
