"""Short captions by BLIP-2 (Li et al., "BLIP-2: Bootstrapping Language-Image Pre-training with
Frozen Image Encoders and Large Language Models", ICML 2023), as Señorita-2M has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveInt

from catalog.errors import BadInput, EditmillError
from experts.annotate.captions.description import Description
from experts.annotate.captions.wording import short
from experts.base import Frames
from experts.batching import Batches
from experts.providers.bounds import Dtype
from experts.providers.hub_model import AUTO, HubModel
from experts.providers.pretrained import pretrained


@dataclass(frozen=True, slots=True)
class _Opened:
    processor: Any
    model: Any


class Blip2Captions(HubModel):
    """The short caption of a clip's middle frame: a clip is one shot, and in its middle neither a
    fade nor a hand before the lens is likely.

    `beams`, `min_tokens` and `max_tokens` are those with which BLIP-2's authors caption COCO (5, 8
    and 30; LAVIS, `caption_coco_opt2.7b_eval.yaml`); 30 tokens of its language model are far below
    CLIP's 77. `batch` clips are captioned in one call.
    """

    slot = "captions"
    provider_name = "blip2"
    frames = 3  # the one in the middle is captioned

    def __init__(
        self,
        *,
        checkpoint: str = "",
        device: str = AUTO,
        dtype: Dtype = AUTO,
        beams: PositiveInt = 5,
        min_tokens: NonNegativeInt = 8,
        max_tokens: PositiveInt = 30,
        batch: PositiveInt = 16,
    ) -> None:
        super().__init__(checkpoint=checkpoint, device=device, dtype=dtype)
        if min_tokens > max_tokens:
            raise EditmillError(
                f"blip2: a caption of at least {min_tokens} and at most {max_tokens} tokens is "
                "asked for; lower `min_tokens` or raise `max_tokens`"
            )
        self._beams = beams
        self._tokens = (min_tokens, max_tokens)
        self._batches = Batches(self.name, batch)

    @property
    def version(self) -> str:
        return f"{super().version}+{self._beams}-{self._tokens[0]}-{self._tokens[1]}"

    def describe(self, clips: Sequence[Frames]) -> list[Description | BadInput]:
        self.load()
        middles = [clip[len(clip) // 2] for clip in clips]
        found = self._batches.over(middles, self._captions)
        return [
            Description(short=caption)
            if caption
            else BadInput("no_caption", f"{self.name} has no words for the middle frame")
            for caption in found
        ]

    def _captions(self, images: Sequence[NDArray[np.uint8]]) -> list[str]:
        import torch

        opened: _Opened = self._models
        inputs = opened.processor(images=list(images), return_tensors="pt")
        pixels = inputs["pixel_values"].to(self.device, self.dtype)
        with torch.inference_mode():
            tokens = opened.model.generate(
                pixel_values=pixels,
                num_beams=self._beams,
                do_sample=False,
                min_new_tokens=self._tokens[0],
                max_new_tokens=self._tokens[1],
            )
        texts = opened.processor.batch_decode(tokens, skip_special_tokens=True)
        return [short(text) for text in texts]

    def _open(self, folder: Path) -> _Opened:
        from transformers import Blip2ForConditionalGeneration, Blip2Processor

        processor = Blip2Processor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        model = pretrained(Blip2ForConditionalGeneration, folder, dtype=self.dtype)
        return _Opened(processor, model.eval().requires_grad_(False).to(self.device))
