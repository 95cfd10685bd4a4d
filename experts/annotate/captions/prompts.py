"""The questions that a vision-language model is asked about a clip, from `prompts.toml`."""

from __future__ import annotations

import functools
import json
import tomllib
from pathlib import Path
from typing import Any

from experts.annotate.captions.wording import DETAILED_WORDS, SHORT_WORDS

MOST_QUOTED = 1200
"""Characters of a faulty answer that are shown to its writer: any good one is shorter."""


@functools.cache
def prompts() -> dict[str, Any]:
    """The file as it stands."""
    return tomllib.loads(Path(__file__).with_name("prompts.toml").read_text("utf-8"))


def question(keys: tuple[str, ...], objects: int) -> str:
    """What is asked: `keys` of short, detailed and objects, of which at most `objects`."""
    texts = prompts()
    low, high = DETAILED_WORDS
    asked = "\n".join(
        "- " + texts["keys"][key].format(objects=objects, low=low, high=high, most=SHORT_WORDS)
        for key in keys
    )
    examples = "\n".join(
        json.dumps({key: example[key] for key in keys}) for example in texts["examples"]
    )
    return str(texts["question"].format(keys=asked, examples=examples)).strip()


def again(asked: str, answer: str, fault: str) -> str:
    """The question once more, with an answer that was no good and why."""
    said = prompts()["again"].format(answer=answer[:MOST_QUOTED], fault=fault)
    return f"{asked}\n\n{said.strip()}"


def schema(keys: tuple[str, ...], objects: int) -> dict[str, Any]:
    """The JSON schema of an answer."""
    kinds: dict[str, Any] = {
        "short": {"type": "string"},
        "detailed": {"type": "string"},
        "objects": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "maxItems": objects,
        },
    }
    return {
        "type": "object",
        "properties": {key: kinds[key] for key in keys},
        "required": list(keys),
        "additionalProperties": False,
    }
