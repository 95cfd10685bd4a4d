"""The instruction writer for a capable model: one call per edit gives all its texts as JSON, each
of them is checked, and what fails is asked for again with the fault named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from catalog.keys import digest
from experts.write.asking import AsksChat
from experts.write.chat.models import ChatBackend
from experts.write.chat.structured import Answer, read, schema_of
from experts.write.checks import check, normalise
from experts.write.instruction import (
    NOT_ANSWERED,
    Instruction,
    Writer,
    completed,
    enhanced_by_clauses,
)
from experts.write.language.clauses import clause_words
from experts.write.language.templates import all_from_templates
from experts.write.prompts import Message
from experts.write.prompts.capable import conversation, correction
from experts.write.request import WriteRequest

ROUNDS = 3
"""The first answer and two corrections: a fault that is named twice and stays is not mended."""

PHRASINGS = 4
"""The short text and three more; the model writes them all in one call."""

TEMPERATURE = 0.7
"""Lower than a small model's: there is one answer, not the best of several."""

MAX_TOKENS = 512
"""Of an answer: 40 + 4 x 25 words of at most two tokens each, and JSON around them."""


class Texts(Answer):
    """What the model is asked for."""

    short: str
    enhanced: str
    phrasings: list[str]


@dataclass
class _Draft:
    """What has passed for one request so far, and what is said to the model next."""

    request: WriteRequest
    messages: list[Message]
    short: str = ""
    enhanced: str = ""
    phrasings: list[str] = field(default_factory=list)
    tries: list[tuple[str, str]] = field(default_factory=list)

    def take(self, answer: str, wanted: int) -> None:
        """Keeps the parts that pass the checks; names the faults of the others in the next turn."""
        texts = read(answer, Texts)
        faults: list[tuple[str, str, str]] = []
        if texts is None:
            self.tries.append((answer, "json"))
            faults.append(("answer", "", "json"))
        else:
            self.short = self.short or self._passed("short", texts.short, faults)
            self.enhanced = self.enhanced or self._passed("enhanced", texts.enhanced, faults)
            for text in texts.phrasings:
                if len(self.phrasings) < wanted:
                    self.phrasings += filter(None, [self._passed("phrasings", text, faults)])
            if len(texts.phrasings) < wanted:
                faults.append(("phrasings", "", "too_few"))
        self.messages += [
            {"role": "assistant", "content": answer},
            {"role": "user", "content": correction(self.request, faults)},
        ]

    def _passed(self, part: str, text: str, faults: list[tuple[str, str, str]]) -> str:
        """The text as it will stand, empty if a check is against it."""
        text = normalise(text)
        if part == "enhanced":
            reason = check(
                text,
                self.request,
                enhanced=True,
                also=clause_words(self.request.task),
                open_vocabulary=True,
            )
        else:
            reason = check(text, self.request)
            if text in (self.short, *self.phrasings):
                reason = "duplicate"
        if reason:
            faults.append((part, text, reason))
            self.tries.append((text, reason))
        return "" if reason else text

    def is_whole(self, wanted: int) -> bool:
        return bool(self.short and self.enhanced) and len(self.phrasings) >= wanted


class CapableWriter(AsksChat):
    """Writes a batch of instructions, all of a round side by side. A part for which no text passes
    in `rounds` answers is a template's, and the instruction says so."""

    name = "instruction_writer"

    def __init__(
        self,
        chat: ChatBackend,
        *,
        rounds: int = ROUNDS,
        phrasings: int = PHRASINGS,
        temperature: float = TEMPERATURE,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        super().__init__(chat)
        self._rounds = rounds
        self._others = phrasings - 1
        self._temperature = temperature
        self._max_tokens = max_tokens

    @property
    def version(self) -> str:
        """Of prompts, checks and templates, of how answers are drawn, and the model's."""
        drawn = digest(self._rounds, self._others, self._temperature, self._max_tokens)[:8]
        return f"capable3+{drawn}+{self._chat.version}"

    def write(self, requests: Sequence[WriteRequest]) -> list[Instruction]:
        """One instruction per request, in the requests' order."""
        drafts = [_Draft(request, conversation(request, self._others)) for request in requests]
        waiting = drafts
        for attempt in range(self._rounds):
            if not waiting:
                break
            answers = completed(
                self._chat,
                [draft.messages for draft in waiting],
                [draft.request.seed * self._rounds + attempt for draft in waiting],
                n=1,
                temperature=self._temperature,
                max_tokens=self._max_tokens,
                schema=schema_of(Texts, phrasings=self._others),
            )
            for draft, texts in zip(waiting, answers, strict=True):
                if texts:
                    draft.take(texts[0], self._others)
                else:
                    draft.tries.append(NOT_ANSWERED)
            waiting = [draft for draft in waiting if not draft.is_whole(self._others)]
        return [self._instruction(draft) for draft in drafts]

    def _instruction(self, draft: _Draft) -> Instruction:
        request = draft.request
        own = [text for text in (draft.short, *draft.phrasings) if text]
        others = [text for text in all_from_templates(request) if text not in own]
        # A phrasing that passed is as good a short text as any, and better than a template.
        phrasings = (own + others)[: self._others + 1]
        by: tuple[Writer, ...] = tuple("model" if t in own else "template" for t in phrasings)
        return Instruction(
            text=phrasings[0],
            enhanced=draft.enhanced or enhanced_by_clauses(phrasings[0], others[0], request),
            by=by[0],
            model=f"{self._chat.name}@{self._chat.version}",
            phrasings=tuple(phrasings),
            phrasings_by=by,
            enhanced_by="model" if draft.enhanced else "template",
            tries=tuple(draft.tries),
        )
