"""What a writer makes of a request, and how it asks its model."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from experts.write.chat.models import ChatBackend
from experts.write.chat.server import NoCompletion
from experts.write.checks import check
from experts.write.language.clauses import clause_words, enhance
from experts.write.prompts import Message
from experts.write.request import WriteRequest

log = logging.getLogger("editmill")

NOT_ANSWERED = ("", "no_answer")
"""Among the tries: the model was asked and gave nothing."""

Writer = Literal["model", "template"]


@dataclass(frozen=True, slots=True)
class Instruction:
    """`text` is the short command, `enhanced` also says what stays.

    `by` tells whether `text` is the model's or a template; `model` is the model asked either way.
    `phrasings` are different ways to say the same, `text` first and then the model's other
    candidates that pass the checks, filled up from templates; `phrasings_by` goes with them.
    `enhanced_by` tells whether a model wrote what `enhanced` says beyond the command, or people.
    `tries` are the candidates that were rejected, each with its reason.
    """

    text: str
    enhanced: str
    by: Writer
    model: str
    phrasings: tuple[str, ...]
    phrasings_by: tuple[Writer, ...]
    enhanced_by: Writer = "template"
    tries: tuple[tuple[str, str], ...] = ()


def enhanced_by_clauses(text: str, spare: str, request: WriteRequest) -> str:
    """The command with clauses that people wrote; that of `spare`, a template, where the one of
    `text` would be too long."""
    enhanced = enhance(text, request)
    if check(enhanced, request, enhanced=True, also=clause_words(request.task)):
        return enhance(spare, request)
    return enhanced


def completed(
    chat: ChatBackend,
    batch: Sequence[Sequence[Message]],
    seeds: Sequence[int],
    *,
    n: int,
    temperature: float,
    max_tokens: int,
    schema: Mapping[str, Any] | None = None,
) -> list[list[str]]:
    """`chat.complete`, where a server that is there and gives none of the batch an answer gives no
    texts: its failure is said, templates serve, and the build goes on."""
    try:
        return chat.complete(
            batch, seeds, n=n, temperature=temperature, max_tokens=max_tokens, schema=schema
        )
    except NoCompletion as fault:
        log.warning("none of %d questions was answered: %s", len(batch), fault)
        return [[] for _ in batch]
