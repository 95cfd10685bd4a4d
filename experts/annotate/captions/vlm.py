"""Captions and object phrases by a vision-language model, on a server or in this process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import PositiveInt

from catalog.errors import BadInput
from catalog.keys import digest
from experts.annotate.captions import prompts, wording
from experts.annotate.captions.blip2 import Blip2Captions
from experts.annotate.captions.description import Description
from experts.base import Frames
from experts.providers.bounds import Dtype
from experts.providers.hub_model import AUTO
from experts.write.chat.served import KEY_VARIABLE
from experts.write.chat.vision.question import Question, VisionChat, answers
from experts.write.chat.vision.shown import shown
from experts.write.chat.vision.vision_model import vision_model

MAX_TOKENS = 512
"""Of an answer: twice what a long caption and a dozen objects take."""


class VisionCaptioner:
    """Asks a vision-language model once per clip for a short caption, a detailed one of about 50
    words and the objects that can be edited.

    It is shown `frames` frames, evenly spaced from the first to the last and of at most
    `max_pixels` each: 8 of a clip of two to four seconds are two to four a second, and what cannot
    be made out at 640×360 is too small to be edited. A picture of that size is some 225 tokens of
    Qwen3-VL, each of which covers 32×32 px.

    An answer is mended where that takes no model (`wording`) and otherwise asked for again with the
    fault named, `rounds` times in all; then the clip is a BadInput (`no_caption`), which is not
    final where the last answer is empty: a server may have been too busy. `objects` is the most
    that are named.

    `short` is a captioner for the short caption, of which the model is then not asked.
    """

    name = "vlm"
    algorithm = 1
    """Rises whenever the same answers may give other descriptions."""

    def __init__(
        self,
        chat: VisionChat,
        *,
        short: Blip2Captions | None = None,
        frames: int = 8,
        max_pixels: int = 640 * 360,
        objects: int = 8,
        rounds: int = 3,
        seed: int = 0,
    ) -> None:
        self._chat = chat
        self._short = short
        self.frames = frames
        self._max_pixels = max_pixels
        self._objects = objects
        self._rounds = rounds
        self._seed = seed
        self._keys = ("short", "detailed", "objects") if short is None else ("detailed", "objects")

    @property
    def parts(self) -> tuple[Any, ...]:
        """The models it is put together from."""
        return (self._chat,) if self._short is None else (self._chat, self._short)

    @property
    def version(self) -> str:
        options = (self.frames, self._max_pixels, self._objects, self._rounds, self._seed)
        own = digest(prompts.prompts(), options)[:8]
        return "+".join([str(self.algorithm), own, *(part.version for part in self.parts)])

    def load(self) -> None:
        for part in self.parts:
            part.load()

    def close(self) -> None:
        for part in self.parts:
            part.close()

    def describe(self, clips: Sequence[Frames]) -> list[Description | BadInput]:
        asked = prompts.question(self._keys, self._objects)
        texts = dict.fromkeys(range(len(clips)), asked)
        videos = [shown(clip, self.frames, self._max_pixels) for clip in clips]
        found: dict[int, Description | BadInput] = {}
        for attempt in range(self._rounds):
            numbers = [number for number in texts if number not in found]
            said = answers(
                self._chat,
                [self._question(texts[n], videos[n]) for n in numbers],
                seed=self._seed + attempt,
                max_tokens=MAX_TOKENS,
            )
            for number, answer in zip(numbers, said, strict=True):
                if isinstance(answer, BadInput):
                    found[number] = answer
                    continue
                read = self._read(answer)
                if isinstance(read, Description):
                    found[number] = read
                elif attempt + 1 < self._rounds:
                    if answer:
                        texts[number] = prompts.again(asked, answer, read.fault)
                else:
                    found[number] = BadInput(
                        "no_caption",
                        f"{self._chat.name} was asked {self._rounds} times and {read.fault}",
                        final=bool(answer),
                    )
        described = [found[number] for number in range(len(clips))]
        return described if self._short is None else self._with_short(clips, described)

    def _question(self, text: str, video: Frames) -> Question:
        system = prompts.prompts()["system"].strip()
        return Question(text, (video,), system, prompts.schema(self._keys, self._objects))

    def _read(self, answer: str) -> Description | _Faulty:
        """The description in an answer, or what is wrong with it."""
        if not answer:
            return _Faulty("gave no answer at last")
        try:
            said = json.loads(answer[answer.index("{") : answer.rindex("}") + 1])
            short = wording.short(_text(said, "short")) if "short" in self._keys else ""
            detailed = wording.line(_text(said, "detailed"))
            named = said["objects"]
            if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
                return _Faulty("'objects' is not a list of strings")
        except KeyError as missing:
            return _Faulty(f"{missing} is missing")
        except (ValueError, TypeError, RecursionError):
            return _Faulty("the answer is not a JSON object")
        phrases = wording.phrases(named, self._objects)
        fault = (
            ("short" in self._keys and wording.short_fault(short))
            or wording.detailed_fault(detailed)
            or wording.phrases_fault(phrases)
        )
        return _Faulty(fault) if fault else Description(short, detailed, phrases)

    def _with_short(
        self, clips: Sequence[Frames], described: list[Description | BadInput]
    ) -> list[Description | BadInput]:
        """The descriptions with the other captioner's short captions."""
        assert self._short is not None
        numbers = [n for n, each in enumerate(described) if isinstance(each, Description)]
        for number, short in zip(
            numbers, self._short.describe([clips[n] for n in numbers]), strict=True
        ):
            own = described[number]
            assert isinstance(own, Description)
            if isinstance(short, BadInput):
                described[number] = short
            else:
                described[number] = Description(short.short, own.detailed, own.phrases)
        return described


class VlmCaptions(VisionCaptioner):
    """The recipe's `vlm`: which model a `VisionCaptioner` asks.

        captions: {provider: vlm, server: "http://127.0.0.1:8000/v1", model: Qwen/Qwen3-VL-8B}
        captions: {provider: vlm, checkpoint: ~/models/qwen3-vl-4b, short_by: blip2}

    With `server` it is the `model` of an OpenAI-compatible server, whose key is in the environment
    variable `api_key_variable`; else a checkpoint that is opened in this process, on `device`, and
    answers `batch` questions in one call. `short_by: blip2` has BLIP-2 write the short caption, as
    Señorita-2M has it, from `short_checkpoint`.
    """

    def __init__(
        self,
        *,
        server: str = "",
        model: str = "",
        api_key_variable: str = KEY_VARIABLE,
        checkpoint: str = "",
        device: str = AUTO,
        dtype: Dtype = AUTO,
        batch: PositiveInt = 4,
        short_by: Literal["vlm", "blip2"] = "vlm",
        short_checkpoint: str = "",
        frames: PositiveInt = 8,
        max_pixels: PositiveInt = 640 * 360,
        objects: PositiveInt = 8,
        rounds: PositiveInt = 3,
        seed: int = 0,
    ) -> None:
        chat = vision_model(
            "captions",
            "vlm",
            server=server,
            model=model,
            api_key_variable=api_key_variable,
            checkpoint=checkpoint,
            device=device,
            dtype=dtype,
            batch=batch,
            max_frames=frames,
            max_pixels=max_pixels,
        )
        super().__init__(
            chat,
            short=Blip2Captions(checkpoint=short_checkpoint, device=device, dtype=dtype)
            if short_by == "blip2"
            else None,
            frames=frames,
            max_pixels=max_pixels,
            objects=objects,
            rounds=rounds,
            seed=seed,
        )


@dataclass(frozen=True, slots=True)
class _Faulty:
    """An answer that cannot be used, and why, as its writer is told."""

    fault: str


def _text(said: Any, key: str) -> str:
    value = said[key]
    if not isinstance(value, str):
        raise TypeError
    return value
