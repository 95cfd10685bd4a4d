"""A trained editor behind the contract of `experts.base.Expert`: it edits by what it is told.

The request's `prompt` is the instruction (Señorita-2M's editor) or the local caption (VIVID's). Its
`params["first_frame"]`, uint8 [H, W, 3] of the frames' size, is the edited first frame that leads
Señorita's editor, or the edited keyframe that VIVID's carries through the clip (KIVE). Each further
window of a long clip is led by the last frame of the one before.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from catalog.errors import BadInput
from experts.base import EditRequest, EditResult, Frames, Masks
from experts.diffusion.expert import CogVideoXExpert
from experts.diffusion.sampling.sampler import Prompts
from experts.diffusion.serving import Size

FIRST_FRAME = "first_frame"


class CogVideoXEditor(CogVideoXExpert):
    """A version of an editor; see `CogVideoXExpert`."""

    def edit(self, request: EditRequest) -> EditResult:
        """The request's frames, edited; a keyframe stays as it is inside the mask.

        Raises BadInput where a first frame is missing, of another size or of no use, and
        (`no_mask`) where a local edit has no mask.
        """
        first = self._first(request)
        result = super().edit(request)
        if first is None or result.masks is None:
            return result
        frames = result.frames.copy()
        frames[:1][result.masks[:1]] = first[result.masks[:1]]
        return dataclasses.replace(result, frames=frames)

    def _first(self, request: EditRequest) -> Frames | None:
        """The first frame that was given, [1, H, W, 3]."""
        given = request.params.get(FIRST_FRAME)
        if given is None:
            if self.spec.first_frame:
                raise BadInput(
                    "no_first_frame", f"{self.spec.name} is led by an edited first frame; give one"
                )
            return None
        if not self._chained:
            raise BadInput(
                "unused_first_frame", f"{self.spec.name} takes no first frame; leave it out"
            )
        if given.shape != request.frames.shape[1:]:
            raise BadInput(
                "first_frame_size",
                f"the first frame is {given.shape[0]}×{given.shape[1]}, the video "
                f"{request.frames.shape[1]}×{request.frames.shape[2]}; bring it to that size",
            )
        return np.asarray(given)[None]

    def _guide(self, request: EditRequest) -> EditResult | None:
        first = self._first(request)
        return None if first is None else EditResult(first, request.masks)

    def _size(self, count: int, height: int, width: int) -> Size:
        size = super()._size(count, height, width)
        # Trained on images, too: a keyframe can be edited by itself.
        return (1, *size[1:]) if self.spec.keyframe and count == 1 else size

    def _window(
        self,
        frames: Frames,
        holes: Masks | None,
        first: Frames | None,
        prompts: Prompts,
        seed: int,
        size: Size,
    ) -> Frames:
        if holes is None:
            return super()._window(frames, holes, first, prompts, seed, size)
        if first is not None:  # as in training: the frame is shown, and nothing of it masked
            frames = np.concatenate([first, frames[1:]])
            holes = np.concatenate([np.zeros_like(holes[:1]), holes[1:]])
        if not holes.any():
            return frames
        made = super()._window(frames, holes, None, prompts, seed, size)
        # What is not masked stays, or the autoencoder's losses would add up from window to window.
        return np.where(holes[..., None], made, frames)
