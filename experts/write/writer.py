"""The instruction writer: a model proposes candidates, checks reject the wrong ones, and a
template serves where none is left."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from catalog.keys import digest
from experts.write.asking import AsksChat
from experts.write.chat.models import ChatBackend
from experts.write.checks import check, normalise
from experts.write.instruction import (
    NOT_ANSWERED,
    Instruction,
    Writer,
    completed,
    enhanced_by_clauses,
)
from experts.write.language.templates import all_from_templates
from experts.write.prompts import conversation
from experts.write.request import WriteRequest

CANDIDATES = 2
"""Per round. About half of a 135 M model's candidates pass, so most requests need one round."""

ROUNDS = 2
"""A request that four candidates have not served is served by a template."""

PHRASINGS = 3
"""Ways to say it per request: who trains on one wording per edit learns the wording."""

TEMPERATURE = 0.85
"""Cooler repeats itself, hotter wanders off: chosen on the share that passes and on variety."""

MAX_TOKENS = 28
"""Of a candidate; the longest good ones repeat a caption."""


class InstructionWriter(AsksChat):
    """Writes a batch of instructions; equal requests get equal instructions in any batch."""

    name = "instruction_writer"

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

    @property
    def version(self) -> str:
        """Of prompts, checks and templates, of how candidates are drawn, and the model's."""
        drawn = digest(self._candidates, self._rounds, self._temperature, self._max_tokens)[:8]
        return f"10+{drawn}+{self._chat.version}"

    def write(self, requests: Sequence[WriteRequest]) -> list[Instruction]:
        """One instruction per request, in the requests' order."""
        passed: dict[int, list[str]] = {}
        tries: list[list[tuple[str, str]]] = [[] for _ in requests]
        # Requests of a task share their prompt's beginning, which the backend keeps from one to
        # the next: so one task after the other, each with all its rounds.
        prompts = [conversation(request) for request in requests]
        order = sorted(range(len(requests)), key=lambda i: str(prompts[i][:-1]))
        for _, group in itertools.groupby(order, key=lambda i: str(prompts[i][:-1])):
            waiting = list(group)
            for attempt in range(self._rounds):
                answers = completed(
                    self._chat,
                    [prompts[i] for i in waiting],
                    [self._seed(requests[i], attempt) for i in waiting],
                    n=self._candidates,
                    temperature=self._temperature,
                    max_tokens=self._max_tokens,
                )
                for i, texts in zip(waiting, answers, strict=True):
                    if not texts:
                        tries[i].append(NOT_ANSWERED)
                    for text in map(normalise, texts):
                        reason = check(text, requests[i])
                        if reason:
                            tries[i].append((text, reason))
                        elif text not in passed.setdefault(i, []):
                            passed[i].append(text)
                waiting = [i for i in waiting if i not in passed]
                if not waiting:
                    break
        return [
            self._instruction(request, passed.get(i, []), tries[i])
            for i, request in enumerate(requests)
        ]

    def _seed(self, request: WriteRequest, attempt: int) -> int:
        # Candidate k of a round is drawn with the round's seed + k: rounds must not overlap.
        return (request.seed * self._rounds + attempt) * self._candidates

    def _instruction(
        self, request: WriteRequest, passed: list[str], tries: list[tuple[str, str]]
    ) -> Instruction:
        others = [text for text in all_from_templates(request) if text not in passed]
        phrasings = (passed + others)[:PHRASINGS]
        written: tuple[Writer, ...] = tuple(
            "model" if text in passed else "template" for text in phrasings
        )
        return Instruction(
            phrasings[0],
            enhanced_by_clauses(phrasings[0], others[0], request),
            written[0],
            f"{self._chat.name}@{self._chat.version}",
            tuple(phrasings),
            written,
            tries=tuple(tries),
        )
