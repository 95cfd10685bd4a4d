"""A vision-language model in this process, by transformers: Qwen3-VL, Qwen2.5-VL and whatever else
its `AutoModelForImageTextToText` opens with a processor that reads videos.

For many clips a server (`openai_vision`) is the better choice, as it batches continuously; this
needs none.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import NonNegativeFloat, PositiveInt

from catalog.errors import EditmillError
from experts.base import Frames
from experts.batching import Batches
from experts.providers.bounds import Dtype
from experts.providers.hub_model import AUTO, HubModel
from experts.providers.pretrained import pretrained
from experts.write.chat.json_grammar import JsonGrammar
from experts.write.chat.vision.question import Question


@dataclass(frozen=True, slots=True)
class _Opened:
    processor: Any
    model: Any
    grammar: JsonGrammar


class TransformersVisionChat(HubModel):
    """`slot` and `provider_name` are those of the registry's entry whose checkpoint it opens.

    `temperature` 0 takes the likeliest token each time, and `seed` makes no difference then; above
    0 it is sampled. `batch` questions are answered in one call; which ones are asked together may
    change the last bits of a logit, and so, rarely, a word.

    Frames are shown as a video of one frame a second: questions do not say how much time lies
    between two.
    """

    def __init__(
        self,
        *,
        slot: str,
        provider_name: str,
        checkpoint: str = "",
        device: str = AUTO,
        dtype: Dtype = AUTO,
        temperature: NonNegativeFloat = 0.0,
        batch: PositiveInt = 4,
    ) -> None:
        super().__init__(checkpoint=checkpoint, device=device, dtype=dtype)
        self.slot = slot
        self.provider_name = provider_name
        self._temperature = temperature
        self._batches = Batches(self.name, batch)
        self._answering = threading.Lock()  # torch's seed is the process's

    @property
    def version(self) -> str:
        return f"{super().version}+{self._temperature:g}"

    def ask(self, questions: Sequence[Question], *, seed: int, max_tokens: int) -> list[str]:
        """As `VisionChat.ask`. An answer with a schema is JSON by construction (`json_grammar`)."""
        import torch

        self.load()
        devices = [] if self.device == "cpu" else [torch.device(self.device)]
        with self._answering, torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            return self._batches.over(questions, lambda batch: self._answers(batch, max_tokens))

    def _answers(self, questions: Sequence[Question], max_tokens: int) -> list[str]:
        import torch

        opened: _Opened = self._models
        inputs = self._inputs(questions).to(self.device, self.dtype)
        sampled = {"temperature": self._temperature} if self._temperature > 0 else {}
        schemas = [question.schema for question in questions]
        guided = any(schema is not None for schema in schemas)
        with torch.inference_mode():
            tokens = opened.model.generate(
                **inputs,
                max_new_tokens=max_tokens,
                do_sample=bool(sampled),
                logits_processor=[opened.grammar.processor(schemas)] if guided else None,
                **sampled,
            )
        written = tokens[:, inputs["input_ids"].shape[1] :]
        texts = opened.processor.batch_decode(
            written, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        # The grammar lets bare control characters stand in strings, which JSON does not.
        plain = dict.fromkeys(range(0x20), " ")
        return [
            text.strip() if schema is None else text.translate(plain).strip()
            for text, schema in zip(texts, schemas, strict=True)
        ]

    def _inputs(self, questions: Sequence[Question]) -> Any:
        processor = self._models.processor
        texts = [
            processor.apply_chat_template(_turns(question), add_generation_prompt=True)
            for question in questions
        ]
        least = getattr(processor.video_processor, "temporal_patch_size", 1)
        videos = [_of_at_least(least, v) for question in questions for v in question.videos]
        shown: dict[str, Any] = {}
        if videos:
            shown["videos"] = videos
            shown["do_sample_frames"] = False  # they were
            shown["video_metadata"] = [
                {"total_num_frames": len(v), "fps": 1.0, "frames_indices": list(range(len(v)))}
                for v in videos
            ]
        return processor(text=texts, padding=True, return_tensors="pt", **shown)

    def _open(self, folder: Path) -> _Opened:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        processor = AutoProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        if getattr(processor, "video_processor", None) is None:
            raise EditmillError(
                f"{folder}: its processor reads no videos; set `checkpoint` of "
                f"`models.{self.slot}` to a model that does, such as Qwen3-VL"
            )
        processor.tokenizer.padding_side = "left"  # answers begin where questions end
        if hasattr(processor.video_processor, "cap_pixels_per_frame"):  # Qwen3-VL's
            processor.video_processor.cap_pixels_per_frame = False  # whoever asks bounds them
        model = pretrained(AutoModelForImageTextToText, folder, dtype=self.dtype)
        # Checkpoints bring sampling settings of their own, which `temperature` replaces.
        settings = model.generation_config
        settings.temperature = settings.top_p = settings.top_k = None
        ends = settings.eos_token_id
        if ends is None:
            ends = settings.eos_token_id = processor.tokenizer.eos_token_id
        grammar = JsonGrammar(
            processor.tokenizer,
            vocabulary=model.config.get_text_config().vocab_size,
            ends=[ends] if isinstance(ends, int) else ends,
        )
        return _Opened(processor, model.eval().requires_grad_(False).to(self.device), grammar)


def _of_at_least(frames: int, video: Frames) -> Frames:
    """The video, its last frame repeated where it has fewer: models see frames in pairs."""
    lacking = frames - len(video)
    return np.concatenate([video, *[video[-1:]] * lacking]) if lacking > 0 else video


def _turns(question: Question) -> list[dict[str, Any]]:
    """The question as chat templates take it: its videos, numbered if there are several, then its
    text."""
    parts: list[dict[str, Any]] = []
    for number in range(1, len(question.videos) + 1):
        if len(question.videos) > 1:
            parts.append({"type": "text", "text": f"Video {number}:"})
        parts.append({"type": "video"})
    turns = [{"role": "user", "content": [*parts, {"type": "text", "text": question.text}]}]
    if question.system:
        system = {"role": "system", "content": [{"type": "text", "text": question.system}]}
        turns = [system, *turns]
    return turns
