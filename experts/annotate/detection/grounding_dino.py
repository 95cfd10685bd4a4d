"""Open-vocabulary detection with Grounding DINO (Liu et al., "Grounding DINO: Marrying DINO with
Grounded Pre-Training for Open-Set Object Detection", ECCV 2024).

The model is given phrases as one text, "red car. dog.", and says of each of its boxes how well
every token of the text fits it. A box gets the phrase whose token fits best; transformers' own
reading joins whatever tokens are likely, and so makes labels that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from catalog.errors import BadInput, EditmillError
from catalog.keys import digest
from experts.annotate.detection.detect import Detection, drop_doubles
from experts.batching import Batches
from experts.providers.bounds import Dtype, Share
from experts.providers.hub_model import AUTO, HubModel
from experts.providers.pretrained import pretrained
from experts.write.language.nouns import COCO_LABELS


@dataclass(frozen=True, slots=True)
class _Opened:
    processor: Any
    model: Any


@dataclass(frozen=True, slots=True)
class _Prompt:
    """`tokens` as the model takes them, [1, L] each; `members[p, l]` says whether token l belongs
    to `phrases[p]`."""

    phrases: tuple[str, ...]
    tokens: dict[str, Any]
    members: Any


class GroundingDino(HubModel):
    """Boxes of any phrase.

    `threshold` is the least score of a box and `text_threshold` that of its phrase; 0.35 and 0.25
    are those with which its authors prompt SAM 2 (Grounded-SAM-2, `grounded_sam2_local_demo.py`).
    `vocabulary` is looked for where no phrases are given; by default COCO's 80 names, so that it
    can stand in for a detector of those. `batch` frames are seen in one call.
    """

    slot = "detect"
    provider_name = "grounding_dino"

    def __init__(
        self,
        *,
        checkpoint: str = "",
        device: str = AUTO,
        dtype: Dtype = AUTO,
        threshold: Share = 0.35,
        text_threshold: Share = 0.25,
        vocabulary: tuple[str, ...] = COCO_LABELS,
        batch: PositiveInt = 8,
    ) -> None:
        super().__init__(checkpoint=checkpoint, device=device, dtype=dtype)
        self._threshold = threshold
        self._text_threshold = text_threshold
        self._vocabulary = tuple(vocabulary)
        self._batches = Batches(self.name, batch)

    @property
    def version(self) -> str:
        options = digest(self._threshold, self._text_threshold, self._vocabulary)
        return f"{super().version}+{options[:8]}"

    def detect(
        self, frames: Sequence[NDArray[np.uint8]], phrases: Sequence[str] = ()
    ) -> list[list[Detection]]:
        """The objects in each frame ([H, W, 3] RGB), best first; labels are the phrases as given.

        A frame is prepared once; phrases too many for one text (256 tokens; COCO's names are 195)
        are looked for in several, with a call of the model for each. Raises EditmillError where
        there is nothing to look for.
        """
        wanted = list(dict.fromkeys(phrase for phrase in phrases if prompted(phrase)))
        wanted = wanted or list(self._vocabulary)
        if not wanted:
            raise EditmillError(
                f"{self.name}: there is nothing to look for; give `vocabulary` of "
                f"`models.{self.slot}` some names, or choose captions that name objects"
            )
        self.load()
        prompts = self._prompts(wanted)
        return self._batches.over(frames, lambda batch: self._detect(batch, prompts))

    def _detect(
        self, frames: Sequence[NDArray[np.uint8]], prompts: Sequence[_Prompt]
    ) -> list[list[Detection]]:
        import torch

        opened: _Opened = self._models
        images = opened.processor.image_processor(
            list(frames), input_data_format="channels_last", return_tensors="pt"
        )
        pixels = images["pixel_values"].to(self.device, self.dtype)
        mask = images["pixel_mask"].to(self.device)
        found: list[list[Detection]] = [[] for _ in frames]
        for prompt in prompts:
            tokens = {
                name: value.expand(len(frames), -1).to(self.device)
                for name, value in prompt.tokens.items()
            }
            with torch.inference_mode():
                answer = opened.model(pixel_values=pixels, pixel_mask=mask, **tokens)
            scores = answer.logits.float().sigmoid().cpu()
            boxes = answer.pred_boxes.float().cpu().numpy()
            for i, frame in enumerate(frames):
                found[i] += self._read(scores[i], boxes[i], prompt, frame.shape[:2])
        return [drop_doubles(each) for each in found]

    def _read(
        self, scores: Any, boxes: NDArray[np.float32], prompt: _Prompt, size: tuple[int, ...]
    ) -> list[Detection]:
        """Boxes with their phrases. `scores` [Q, L'] of every token, 0–1; `boxes` [Q, 4] with
        centre, width and height as shares of the frame."""
        length = prompt.members.shape[1]
        best = scores.amax(dim=1).numpy()
        per_phrase = (scores[:, None, :length] * prompt.members[None]).amax(dim=2).numpy()
        found = []
        for query in np.flatnonzero(best >= self._threshold):
            number = int(per_phrase[query].argmax())
            box = _corners(boxes[query], size)
            visible = box[2] - box[0] >= 1 and box[3] - box[1] >= 1
            if per_phrase[query, number] >= self._text_threshold and visible:
                found.append(Detection(prompt.phrases[number], float(best[query]), box))
        return found

    def _prompts(self, phrases: Sequence[str]) -> list[_Prompt]:
        """The phrases in as few texts as the model's limit allows, in their order."""
        opened: _Opened = self._models
        tokenizer, limit = opened.processor.tokenizer, opened.model.config.max_text_len
        prompts: list[list[str]] = []
        room = 0
        for phrase in phrases:
            length = len(tokenizer(f"{prompted(phrase)}.", add_special_tokens=False)["input_ids"])
            if length > limit - 2:
                raise BadInput(
                    "phrase_too_long",
                    f"{self.name} reads {limit} tokens and '{phrase[:60]}…' has {length}",
                )
            if length > room:
                prompts.append([])
                room = limit - 2  # the first and the last token mark the text's ends
            prompts[-1].append(phrase)
            room -= length
        return [_prompt(tokenizer, each) for each in prompts]

    def _open(self, folder: Path) -> _Opened:
        from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor

        processor = GroundingDinoProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        model = pretrained(GroundingDinoForObjectDetection, folder, dtype=self.dtype)
        return _Opened(processor, model.eval().requires_grad_(False).to(self.device))


def prompted(phrase: str) -> str:
    """The phrase as it stands in a prompt: lower case, and without the full stops that part
    phrases."""
    return " ".join(phrase.lower().replace(".", " ").split())


def _prompt(tokenizer: Any, phrases: Sequence[str]) -> _Prompt:
    import torch

    text = ""
    spans: list[tuple[int, int]] = []  # of each phrase, in characters
    for plain in map(prompted, phrases):
        spans.append((len(text), len(text) + len(plain)))
        text += f"{plain}. "
    tokens = tokenizer(text.rstrip(), return_offsets_mapping=True, return_tensors="pt")
    offsets = tokens.pop("offset_mapping")[0].tolist()
    members = torch.tensor(
        [
            [first <= begin and begin < end <= last for begin, end in offsets]
            for first, last in spans
        ]
    )
    return _Prompt(tuple(phrases), dict(tokens), members)


def _corners(box: NDArray[np.float32], size: tuple[int, ...]) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 in px within a frame of `size` (height, width)."""
    x, y, width, height = (float(value) for value in box)
    high, wide = size
    return (
        float(np.clip((x - width / 2) * wide, 0, wide)),
        float(np.clip((y - height / 2) * high, 0, high)),
        float(np.clip((x + width / 2) * wide, 0, wide)),
        float(np.clip((y + height / 2) * high, 0, high)),
    )
