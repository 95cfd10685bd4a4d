"""The questions that a judge is asked about a pair, and the schemas that their answers follow."""

from __future__ import annotations

import functools
import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experts.write.chat.vision.question import Question
from experts.write.chat.vision.shown import shown
from filters.base import PairFrames
from filters.vlm.judgement import GRADED, HIGHEST, LOWEST

FAMILIES: Mapping[str, str] = {
    "object_removal": "removal",
    "object_addition": "addition",
    "object_swap": "swap",
    "local_style_transfer": "local_style",
    "global_style_transfer": "global_style",
}
"""The rubric of each task that is judged. What follows from footage by arithmetic is measured
instead (filters.construction)."""

_FLAGS = ("contradicts_motion", "swapped")

_GRADE = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        # An enumeration, since not every server's grammar knows bounds of numbers.
        "score": {"type": "integer", "enum": list(range(LOWEST, HIGHEST + 1))},
    },
    "required": ["reason", "score"],
    "additionalProperties": False,
}

ANSWER: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        **dict.fromkeys(GRADED, _GRADE),
        **{flag: {"type": "boolean"} for flag in _FLAGS},
    },
    "required": [*GRADED, *_FLAGS],
    "additionalProperties": False,
}
"""JSON schema of a judgement. Reasons stand before grades, which then follow from them."""

CHOICES = ("A", "B", "tie")

PREFERENCE: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "better": {"type": "string", "enum": list(CHOICES)},
    },
    "required": ["reason", "better"],
    "additionalProperties": False,
}
"""JSON schema of a comparison."""


def version() -> str:
    """8 hex characters of the prompts' SHA-256."""
    return hashlib.sha256(_file().read_bytes()).hexdigest()[:8]


def question(sample: PairFrames, frames: int, max_pixels: int) -> Question:
    """All that is asked about one pair, with its two videos."""
    source = shown(sample.source, frames, max_pixels)
    target = shown(sample.target, frames, max_pixels)
    text = _filled(
        "question",
        sample,
        frames=len(target),
        made="AFTER" if sample.made == "target" else "BEFORE",
    )
    return Question(text, (source, target), _system(), ANSWER)


def comparison(a: PairFrames, b: PairFrames, frames: int, max_pixels: int) -> Question:
    """Which of two edits of the same footage is better, with the footage and both edits."""
    videos = (a.sides[0], a.sides[1], b.sides[1])
    pictures = tuple(shown(video, frames, max_pixels) for video in videos)
    form = "comparison" if a.made == "target" else "comparison_of_sources"
    text = _filled(form, a, frames=len(pictures[0]))
    return Question(text, pictures, _prompts()["system"].strip(), PREFERENCE)


def _filled(form: str, sample: PairFrames, **gaps: object) -> str:
    family = _prompts()["families"][FAMILIES[sample.task]]
    rubrics = {f"{name}_rubric": family[name] for name in GRADED}
    text: str = _prompts()[form]
    return text.strip().format(instruction=sample.instruction, **rubrics, **gaps)


@functools.cache
def _system() -> str:
    """The task, and examples of answers."""
    shown = [
        f'Instruction: "{each["instruction"]}" ({each["seen"]})\n{json.dumps(each["answer"])}'
        for each in _prompts()["examples"]
    ]
    return "\n\n".join((_prompts()["system"].strip(), "Examples, without their frames:", *shown))


def _file() -> Path:
    return Path(__file__).with_name("prompts.toml")


@functools.cache
def _prompts() -> dict[str, Any]:
    return tomllib.loads(_file().read_text("utf-8"))
