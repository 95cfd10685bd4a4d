"""What an edit might bring, by a chat model: an object's replacement, or a look for it.

The model names several, which are checked, and the request's seed draws one of those that pass: a
model asked for one alone names the same for every car.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from catalog.keys import digest
from experts.write.asking import AsksChat
from experts.write.chat.models import ChatBackend
from experts.write.chat.structured import Answer, read, schema_of
from experts.write.checks import check, words_of
from experts.write.instruction import completed
from experts.write.language.grammar import DETERMINERS, PLACES, PREPOSITIONS, VERBS, word_set
from experts.write.language.nouns import COCO_LABELS, names, number, plural
from experts.write.language.templates import all_from_templates
from experts.write.prompts import Message
from experts.write.prompts.capable import facts
from experts.write.request import WriteRequest

CANDIDATES = 5
"""Named per answer: of so many some pass, and two edits of a kind seldom get the same."""

ROUNDS = 2
"""Who names nothing fit twice has no idea."""

TEMPERATURE = 0.9
MAX_TOKENS = 128

MOST_WORDS = 4
"""Of a replacement: longer ones describe instead of naming."""

MOST_STYLE_WORDS = 3
"""Adjectives of a look; an "and" between them does not count."""

_NO_PART = (
    DETERMINERS
    | PREPOSITIONS
    | PLACES
    | word_set("or but is are be it something none object thing item vehicle animal")
)
_OBJECTS = {word for label in COCO_LABELS for n in (1, 2) for word in names(label, n)} - {"orange"}
_PLURAL = re.compile(r"(?<![isu])s$")

What = Literal["replacement", "style"]


class Candidates(Answer):
    """What the model is asked for."""

    candidates: list[str]


class Ideas(AsksChat):
    """Asks `chat` in batches; an empty text where no candidate passed, or nothing was answered.

    Equal requests get equal ideas from a backend that answers equal questions equally.
    """

    def __init__(
        self,
        chat: ChatBackend,
        *,
        candidates: int = CANDIDATES,
        rounds: int = ROUNDS,
        temperature: float = TEMPERATURE,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        super().__init__(chat)
        self._candidates = candidates
        self._rounds = rounds
        self._temperature = temperature
        self._max_tokens = max_tokens

    name = "ideas"

    @property
    def version(self) -> str:
        """Of prompts and checks, of how answers are drawn, and the model's."""
        drawn = digest(self._candidates, self._rounds, self._temperature, self._max_tokens)[:8]
        return f"1+{drawn}+{self._chat.version}"

    def name_replacement(self, request: WriteRequest) -> str:
        """What could plausibly stand in the place of the request's object (`label`): a noun phrase
        without an article, of another kind, and not in the caption."""
        return self.name_replacements([request])[0]

    def name_style(self, request: WriteRequest) -> str:
        """A look that the request's object could take on: adjectives."""
        return self.name_styles([request])[0]

    def name_replacements(self, requests: Sequence[WriteRequest]) -> list[str]:
        """`name_replacement` of each, asked side by side."""
        return self._named("replacement", requests, replacement_fault)

    def name_styles(self, requests: Sequence[WriteRequest]) -> list[str]:
        """`name_style` of each, asked side by side."""
        return self._named("style", requests, style_fault)

    def _named(
        self,
        what: What,
        requests: Sequence[WriteRequest],
        fault: Callable[[str, WriteRequest], str],
    ) -> list[str]:
        talks = [_conversation(what, request, self._candidates) for request in requests]
        found: dict[int, str] = {}
        for attempt in range(self._rounds):
            waiting = [i for i in range(len(requests)) if i not in found]
            if not waiting:
                break
            answers = completed(
                self._chat,
                [talks[i] for i in waiting],
                [requests[i].seed * self._rounds + attempt for i in waiting],
                n=1,
                temperature=self._temperature,
                max_tokens=self._max_tokens,
                schema=schema_of(Candidates, candidates=self._candidates),
            )
            for i, texts in zip(waiting, answers, strict=True):
                answer = read(texts[0], Candidates) if texts else None
                named = [bare(text) for text in answer.candidates] if answer else []
                faults = [(text, fault(text, requests[i])) for text in named]
                fit = [text for text, reason in faults if not reason]
                if fit:
                    rng = np.random.default_rng((requests[i].seed, 4))
                    found[i] = fit[int(rng.integers(len(fit)))]
                elif texts:
                    talks[i] += [
                        {"role": "assistant", "content": json.dumps({"candidates": named})},
                        {"role": "user", "content": _correction(faults)},
                    ]
        return [found.get(i, "") for i in range(len(requests))]


def bare(text: str) -> str:
    """A named thing without its article, capital and full stop."""
    text = " ".join(text.strip(" .").split())
    text = re.sub(r"^(?:an?|the|some) ", "", text, flags=re.IGNORECASE)
    return text[:1].lower() + text[1:]


def replacement_fault(text: str, request: WriteRequest) -> str:
    """The first reason against a replacement, empty if there is none."""
    words = words_of(text)
    if not _is_phrase(text, words, MOST_WORDS) or (words[0] in VERBS and len(words) > 1):
        return "no_phrase"
    own = {
        each.split()[-1]
        for noun in (request.label, request.kind)
        for n in (1, 2)
        for each in (names(_kind_of(noun), n) if noun else [])
    }
    if {words[-1], plural(words[-1])} & own or " ".join(words) in own:
        return "same_kind"
    if {words[-1], plural(words[-1])} & set(words_of(request.caption)):
        return "shown"
    if _PLURAL.search(text):
        return "no_phrase"
    swap = WriteRequest("object_swap", text, other=request.label, seed=request.seed)
    return "no_phrase" if check(all_from_templates(swap)[0], swap) else ""


def style_fault(text: str, request: WriteRequest) -> str:
    """The first reason against a look, empty if there is none."""
    words = [word for word in words_of(text) if word != "and"]
    if not _is_phrase(text, words, MOST_STYLE_WORDS):
        return "no_phrase"
    if set(words) <= set(words_of(request.label)):
        return "is_look"
    shown = set(words_of(request.caption)) - set(words_of(request.label))
    if words[-1] in shown | VERBS | _OBJECTS:
        return "no_look"
    styled = dataclasses.replace(request, task="local_style_transfer", prompt=text)
    return "no_look" if check(all_from_templates(styled)[0], styled) else ""


def _is_phrase(text: str, words: Sequence[str], most: int) -> bool:
    return (
        0 < len(words) <= most
        and bool(re.fullmatch(r"[a-z]+(?:[ -][a-z]+)*", text))
        and not set(words) & _NO_PART
    )


def _kind_of(label: str) -> str:
    """The noun of a referring expression: `car` of "car on the left"."""
    return re.split(r" (?:on|in|at|to|with|driving|walking|riding|moving)\b", label)[0]


@functools.cache
def _prompts() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).with_name("prompts") / "ideas.toml").read_text("utf-8"))


def examples(what: What) -> list[tuple[WriteRequest, list[str]]]:
    """The requests that a model is shown, each with good candidates."""
    return [
        (WriteRequest("local_style_transfer", **given), named)
        for given, named in _prompts()[what]["examples"]
    ]


def _conversation(what: What, request: WriteRequest, candidates: int) -> list[Message]:
    system = _prompts()[what]["system"].format(number=number(candidates))
    messages = [{"role": "system", "content": system}]
    for shown, named in examples(what):
        messages += [
            {"role": "user", "content": _facts(shown)},
            {"role": "assistant", "content": json.dumps({"candidates": named})},
        ]
    return [*messages, {"role": "user", "content": _facts(request)}]


def _facts(request: WriteRequest) -> str:
    """What is known of the object; not the task, which the system message tells."""
    plain = dataclasses.replace(request, task="object_removal", prompt="", other="", count=1)
    return facts(plain).partition("\n")[2]


def _correction(faults: Sequence[tuple[str, str]]) -> str:
    said = _prompts()["faults"]
    if not faults:
        return str(said["json"])
    lines = [f'"{text}" {said[reason].format(words=MOST_WORDS)}' for text, reason in faults]
    return "\n".join([said["none"], *lines])
