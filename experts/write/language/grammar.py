"""The language of each task's instructions (`grammar.toml`): which commands open one, and which
words may follow."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DATA = tomllib.loads(Path(__file__).with_name("grammar.toml").read_text("utf-8"))


def word_set(words: str) -> frozenset[str]:
    """The words of a line, as a set."""
    return frozenset(words.split())


PLACES = word_set(_DATA["places"])
"""What an edit may be said to happen in."""

GENERAL = word_set(_DATA["general"]) | PLACES
"""Words that claim nothing about what is seen."""

ADVERBS = word_set(_DATA["adverbs"])

OPENERS = ADVERBS | {"please", "now", "just"}
"""What may stand before the command."""

DETERMINERS = word_set("a an the this that these those its each every")
PREPOSITIONS = word_set("of from in into to on with for at by across throughout within during")
DANGLING = DETERMINERS | PREPOSITIONS | word_set("and or but so as while like be")
"""No sentence ends on these: the model ran out of tokens or of thought."""

CHATTER = re.compile(
    r"^(?:sure|okay|ok|certainly|of course|yes|no|here|absolutely|great|hello|hi|note|answer)\b"
    r"|^(?:command|instruction|output|rewrite)\b"
    r"|\b(?:you|your|instructions?|command|example|sentence|rewritten?)\b"
)
"""A model talking about its answer, or to its reader."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """One task's: see the head of `grammar.toml`. Heads are regular expressions with gaps left."""

    verbs: frozenset[str]
    heads: tuple[str, ...]
    colour_heads: tuple[str, ...]
    thing_heads: tuple[str, ...]
    picture_heads: tuple[str, ...]
    words: frozenset[str]
    contrary: frozenset[str]


def _with_parts(head: str) -> str:
    parts = re.compile(rf"\{{({'|'.join(_DATA['parts'])})\}}")
    while parts.search(head):
        head = parts.sub(lambda gap: _DATA["parts"][gap[1]], head)
    return head


def _heads(table: dict[str, Any], kind: str) -> tuple[str, ...]:
    return tuple(map(_with_parts, table.get(kind, ())))


GRAMMARS: dict[str, Grammar] = {
    task: Grammar(
        word_set(table["verbs"]),
        _heads(table, "heads"),
        _heads(table, "colour_heads"),
        _heads(table, "thing_heads"),
        _heads(table, "picture_heads"),
        word_set(table["words"]),
        word_set(table["contrary"]),
    )
    for task, table in _DATA["tasks"].items()
}

VERBS = frozenset().union(*(grammar.verbs for grammar in GRAMMARS.values()))
"""Every word that opens some task's instruction."""
