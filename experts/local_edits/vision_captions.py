"""Region captions by a vision-language model, as VIVID-10M has them (Sec. 3.1)."""

from __future__ import annotations

import functools
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from catalog.errors import BadInput
from catalog.keys import digest
from experts.annotate.captions.wording import line
from experts.base import Frames
from experts.local_edits.captions import LONG, MEDIUM, SHORT, LocalCaptions, Region
from experts.masks.geometry import box_of
from experts.providers.bounds import Dtype
from experts.providers.hub_model import AUTO
from experts.write.chat.served import KEY_VARIABLE
from experts.write.chat.vision.question import Question, VisionChat
from experts.write.chat.vision.shown import shown
from experts.write.chat.vision.vision_model import vision_model

LENGTHS = {"short": SHORT, "medium": MEDIUM, "long": LONG}
"""Words of each text."""

MAX_TOKENS = 256
"""Of an answer: three times what the three texts take."""

MARGIN = 0.15
"""Of the box's sides, shown around it: a tight crop hides where an object ends."""

GREY = 127
"""What is painted over everything that is not the object."""


class VisionRegionCaptioner:
    """Asks a vision-language model once per region; the object is shown in a crop that follows
    nothing and holds all its places, with everything else painted grey.

    `frames` of the region, evenly spaced, of at most `max_pixels` each. An answer that has no three
    texts of the right lengths is asked for again with the fault named, `rounds` times in all; then
    the region is a BadInput (`no_caption`).
    """

    name = "vlm"
    algorithm = 1
    """Rises whenever the same answers may give other captions."""

    def __init__(
        self,
        chat: VisionChat,
        *,
        frames: int = 4,
        max_pixels: int = 448 * 448,
        rounds: int = 3,
        seed: int = 0,
    ) -> None:
        self._chat = chat
        self._frames, self._max_pixels = frames, max_pixels
        self._rounds, self._seed = rounds, seed

    @property
    def parts(self) -> tuple[VisionChat, ...]:
        """The models it is put together from."""
        return (self._chat,)

    @property
    def version(self) -> str:
        options = (self._frames, self._max_pixels, self._rounds, self._seed)
        return f"{self.algorithm}+{digest(_prompts(), options)[:8]}+{self._chat.version}"

    def load(self) -> None:
        self._chat.load()

    def close(self) -> None:
        self._chat.close()

    def captions(self, region: Region) -> LocalCaptions:
        """Three captions. Raises BadInput (`no_caption`) where the model gives none that can be
        used, ValueError where the mask is empty in every frame."""
        video = shown(cut_out(region), self._frames, self._max_pixels)
        examples = "\n".join(json.dumps(each) for each in _prompts()["examples"])
        asked = text = _prompts()["question"].format(
            label=region.label, examples=examples, **LENGTHS
        )
        fault = ""
        for attempt in range(self._rounds):
            question = Question(text.strip(), (video,), _prompts()["system"], _schema())
            (answer,) = self._chat.ask([question], seed=self._seed + attempt, max_tokens=MAX_TOKENS)
            read, fault = _read(answer)
            if read is not None:
                return read
            text = asked + _prompts()["again"].format(answer=answer[:1200], fault=fault)
        raise BadInput(
            "no_caption", f"{self._chat.name} was asked {self._rounds} times and {fault}"
        )


class VlmRegionCaptions(VisionRegionCaptioner):
    """The recipe's `vlm`: which model a `VisionRegionCaptioner` asks.

    With `server` it is the `model` of an OpenAI-compatible server, whose key is in the environment
    variable `api_key_variable`; else a checkpoint that is opened in this process.
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
        frames: PositiveInt = 4,
        max_pixels: PositiveInt = 448 * 448,
        rounds: PositiveInt = 3,
        seed: int = 0,
    ) -> None:
        chat = vision_model(
            "region_captions",
            "vlm",
            server=server,
            model=model,
            api_key_variable=api_key_variable,
            checkpoint=checkpoint,
            device=device,
            dtype=dtype,
            batch=1,
            max_frames=frames,
            max_pixels=max_pixels,
        )
        super().__init__(chat, frames=frames, max_pixels=max_pixels, rounds=rounds, seed=seed)


def cut_out(region: Region) -> Frames:
    """The frames in which the object is, in one crop around all its places, grey outside its mask.

    Raises ValueError where the mask is empty in every frame.
    """
    alive: NDArray[np.intp] = np.flatnonzero(region.masks.any(axis=(1, 2)))
    box = box_of(np.asarray(region.masks.any(axis=0)))
    if box is None:
        raise ValueError("there is nothing to describe: the mask is empty in every frame")
    height, width = region.masks.shape[1:]
    x0, y0, x1, y1 = box
    across, down = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
    crop = (
        slice(max(0, round(y0 - down)), min(height, round(y1 + down))),
        slice(max(0, round(x0 - across)), min(width, round(x1 + across))),
    )
    masks = region.masks[alive][:, crop[0], crop[1]]
    frames = region.frames[alive][:, crop[0], crop[1]]
    return np.where(masks[..., None], frames, np.uint8(GREY))


@functools.cache
def _prompts() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("region_prompts.toml").read_text("utf-8"))


def _schema() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in LENGTHS},
        "required": list(LENGTHS),
        "additionalProperties": False,
    }


def _read(answer: str) -> tuple[LocalCaptions | None, str]:
    """The captions in an answer, or what is wrong with it, as its writer is told."""
    try:
        said = json.loads(answer[answer.index("{") : answer.rindex("}") + 1])
        texts = {name: line(said[name]) for name in LENGTHS}
    except KeyError as missing:
        return None, f"{missing} is missing"
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None, "the answer is not a JSON object of three texts"
    for name, (least, most) in LENGTHS.items():
        words = len(texts[name].split())
        if not least <= words <= most:
            return None, f"{name!r} has {words} words, and {least} to {most} are asked for"
    return LocalCaptions(texts["short"], texts["medium"], texts["long"]), ""
