"""Prompts for a capable model: one conversation per edit, answered with all its texts as JSON."""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experts.write.checks import ENHANCED_WORDS, WORDS, words_of
from experts.write.language.grammar import GRAMMARS
from experts.write.language.nouns import number
from experts.write.prompts.lines import Message, section_name
from experts.write.request import WriteRequest

FIELDS = ("short", "enhanced", "phrasings")


@functools.cache
def _prompts() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("capable.toml").read_text("utf-8"))


def examples(section: str) -> list[tuple[WriteRequest, dict[str, Any]]]:
    """A section's requests, each with its good answer."""
    task = section if section in GRAMMARS else section.rpartition("_")[0]
    return [
        (WriteRequest(task, **each["request"]), {field: each[field] for field in FIELDS})
        for each in _prompts()[section]["examples"]
    ]


def sections() -> list[str]:
    """The tasks, some of them in several versions."""
    return [name for name, table in _prompts().items() if "examples" in table]


def conversation(request: WriteRequest, phrasings: int) -> list[Message]:
    """System message, the task's examples and the request; all but the last message depend on the
    task alone, so a server can keep their state. `phrasings` are asked for beside the short text.
    """
    section = section_name(request, _prompts())
    system = _prompts()["system"].format(phrasings=number(phrasings))
    messages = [{"role": "system", "content": system + _prompts()[section]["task"]}]
    for shown, answer in examples(section):
        messages += [
            {"role": "user", "content": facts(shown)},
            {"role": "assistant", "content": json.dumps(answer)},
        ]
    return [*messages, {"role": "user", "content": facts(request)}]


def facts(request: WriteRequest) -> str:
    """What is known of the edit, a line each."""
    lines = [f"Task: {request.task.replace('_', ' ')}"]
    if request.other:
        lines.append(f"Replaced: {request.the_other}")
        lines.append(f"Replacement: {request.an_object}")
    elif request.task == "object_addition":
        lines.append(f"Object: {request.an_object}")
    elif request.label:
        lines.append(f"Object: {request.the_object}")
    if request.motion:
        what = "They" if request.count > 1 else "It"
        moves = {"moving": ("moves", "move"), "still": ("stands still", "stand still")}
        lines.append(f"{what} {moves[request.motion][request.count > 1]}.")
    if request.sides:
        lines.append(f"Missing: {', '.join(request.sides)}")
    if request.style and request.prompt:
        lines.append(f"Look: {request.style}")
    if request.caption:
        lines.append(f"Footage: {request.caption}")
    return "\n".join(lines)


def correction(request: WriteRequest, faults: Sequence[tuple[str, str, str]]) -> str:
    """What was wrong with an answer: field, text and reason of each fault."""
    if not faults:
        return str(_prompts()["faults"]["json"])
    lines = [
        f'{field}: "{text}" {_said(field, text, reason, request)}' for field, text, reason in faults
    ]
    return "Write the JSON again and mend this:\n" + "\n".join(lines)


def _said(field: str, text: str, reason: str, request: WriteRequest) -> str:
    known: dict[str, str] = _prompts()["faults"]
    least, most = ENHANCED_WORDS if field == "enhanced" else WORDS
    key = "length" if reason in ("too_short", "too_long") else reason
    return known.get(key, known["other"]).format(
        reason=reason.replace("_", " "),
        words=len(words_of(text)),
        least=least,
        most=most,
        what=_what(request),
        count=number(request.count),
        style=request.style,
        caption=request.caption,
    )


def _what(request: WriteRequest) -> str:
    if request.other:
        return f'"{request.the_other}" and "{request.an_object}"'
    if request.task == "object_addition":
        return f'"{request.an_object}"'
    return f'"{request.the_object}"' if request.label else '"the video", "the clip" or the like'
