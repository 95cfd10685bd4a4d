"""What may be asked of a vision-language model: words and videos in, words out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from catalog.errors import BadInput
from experts.base import Frames, Model
from experts.write.chat.server import SomeRefused


@dataclass(frozen=True, slots=True)
class Question:
    """One turn: a text, and the videos that it is about, in the text's order.

    `videos` hold frames that were sampled and bounded in pixels already: a model is shown every one
    of them. `schema` is a JSON schema that the answer must follow.
    """

    text: str
    videos: tuple[Frames, ...] = ()
    system: str = ""
    schema: Mapping[str, Any] | None = None


@runtime_checkable
class VisionChat(Model, Protocol):
    """A vision-language model that answers questions."""

    def ask(self, questions: Sequence[Question], *, seed: int, max_tokens: int) -> list[str]:
        """The answers, in the questions' order: raw text, which is JSON where a schema was given
        unless `max_tokens` cut it short. Same questions, seed and machine: same answers. Raises
        BadInput where a question cannot be taken; see `answers`."""
        ...


def answers(
    chat: VisionChat, questions: Sequence[Question], *, seed: int, max_tokens: int
) -> list[str | BadInput]:
    """The answers; a BadInput for a question that the model cannot take."""
    if not questions:
        return []
    try:
        return [*chat.ask(questions, seed=seed, max_tokens=max_tokens)]
    except SomeRefused as some:
        return [*some.answers]
    except BadInput as refusal:
        if len(questions) == 1:
            return [refusal]
    each = (answers(chat, [one], seed=seed, max_tokens=max_tokens) for one in questions)
    return [answer for found in each for answer in found]
