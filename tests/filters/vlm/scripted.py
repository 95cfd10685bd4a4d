"""A vision-language model by script: what it answers follows from the frames it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from experts.write.chat.vision.question import Question
from filters.base import PairFrames

Frames = NDArray[np.uint8]


class ScriptedChat:
    """A `VisionChat` that answers with `script(question, seed)` and keeps what it was asked."""

    name = "scripted"
    version = "1"

    def __init__(self, script: Callable[[Question, int], str]) -> None:
        self._script = script
        self.asked: list[tuple[Question, int]] = []

    def load(self) -> None:
        pass

    def close(self) -> None:
        pass

    def ask(self, questions: Sequence[Question], *, seed: int, max_tokens: int) -> list[str]:
        self.asked += [(question, seed) for question in questions]
        return [self._script(question, seed) for question in questions]


def grades(
    instruction: int = 5,
    preservation: int = 5,
    render: int = 5,
    *,
    contradicts_motion: bool = False,
    swapped: bool = False,
) -> str:
    """A well-formed answer."""
    given = {"instruction": instruction, "preservation": preservation, "render": render}
    document = {name: {"reason": f"{name} seen.", "score": n} for name, n in given.items()}
    flags = {"contradicts_motion": contradicts_motion, "swapped": swapped}
    return json.dumps({**document, **flags})


def brighter(question: Question, seed: int) -> str:
    """Of two attempts, prefers the one that is brighter by 10 levels; else it cannot tell."""
    a, b = (float(video.mean()) for video in question.videos[1:])
    better = "tie" if abs(a - b) < 10 else "A" if a > b else "B"
    return json.dumps({"reason": "It is brighter.", "better": better})


def grey(level: int, frames: int = 17, height: int = 72, width: int = 128) -> Frames:
    return np.full((frames, height, width, 3), level, np.uint8)


def removal(level: int, source: int = 100) -> PairFrames:
    """A removal whose target is of one grey."""
    instruction = "Remove the dog."
    return PairFrames(
        "object_removal", grey(source), grey(level), instruction=instruction, made="target"
    )
