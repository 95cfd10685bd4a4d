"""Few-shot prompts: the conversation a chat model continues with an instruction."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experts.write.language.nouns import article
from experts.write.request import WriteRequest, video_word

Message = dict[str, str]
"""`role` (system, user or assistant) and `content`."""


@functools.cache
def _prompts() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("lines.toml").read_text("utf-8"))


def section_name(request: WriteRequest, prompts: Mapping[str, Any]) -> str:
    """The task's section; that of a look which is a thing or a color, if `prompts` has one."""
    suffix = ""
    if request.style_is_a_thing:
        suffix = "_thing"
    elif request.style_is_a_colour:
        suffix = "_colour"
    return request.task + suffix if request.task + suffix in prompts else request.task


def _section(request: WriteRequest) -> dict[str, Any]:
    section: dict[str, Any] = _prompts()[section_name(request, _prompts())]
    return section


def note(request: WriteRequest) -> str:
    """The raw phrase the model is to reword, drawn by the seed: various notes, various answers.

    Without a caption it does not say what is to be seen, and what comes from somewhere ("a person
    walking to the left") is not sent to the scene as well.
    """
    notes: list[str] = _section(request)["notes"]
    if request.task == "object_addition" and request.is_placed:
        notes = [each for each in notes if "{video}" not in each]
    rng = np.random.default_rng((request.seed, 3))
    raw = notes[int(rng.integers(len(notes)))]
    return (raw if request.caption else raw.removesuffix(": {caption}")).format(
        the=request.the_object if request.label else "",
        a=request.an_object if request.label else "",
        other=request.the_other,
        style=request.style,
        a_style=f"{article(request.style)} {request.style}",
        caption=request.caption,
        video=video_word(request),
    )


def conversation(request: WriteRequest) -> list[Message]:
    """System message, the task's examples, and the note; all but the last message depend on the
    task alone, so a backend can keep their state."""
    messages = [{"role": "system", "content": _prompts()["system"]}]
    for user, assistant in _section(request)["examples"]:
        messages += [
            {"role": "user", "content": user},
            {"role": "assistant", "content": assistant},
        ]
    return [*messages, {"role": "user", "content": note(request)}]
