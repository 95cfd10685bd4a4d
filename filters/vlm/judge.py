"""Pairs judged by a vision-language model that is shown both videos and the instruction.

Three grades of 1 to 5 with a sentence each, and two yes/no questions, in one answer by a JSON
schema. An answer that does not follow it is asked for again with another seed; a pair that gets
none is not judged (`abstained`), and so kept: a judge that cannot answer says nothing of an edit.
A pair that is answered with nothing at all, as by a server that is too busy, is to be asked about
another day.

Two edits are compared in both orders, since such models prefer a place (mostly the first) wherever
they are unsure: only what they say both times counts, anything else is a tie.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from catalog.errors import BadInput
from experts.write.chat.server import NoCompletion
from experts.write.chat.vision.question import Question, VisionChat, answers
from filters.base import ABSTAINED, NOT_MEASURED, PairFrames
from filters.vlm import prompts
from filters.vlm.judgement import GRADED, HIGHEST, LOWEST, Judgement
from filters.vlm.rules import FRAMES, MAX_PIXELS, MAX_TOKENS

LONGEST_REASON = 300
"""Characters of a sentence that are kept."""

A = TypeVar("A")


class VlmJudge:
    """Judges with any `VisionChat`, which whoever made it closes.

    `frames` are shown of each side, each of at most `max_pixels`; `attempts` questions are asked
    until an answer can be read.
    """

    algorithm = 1
    """Rises whenever the same answers may give another judgement."""

    def __init__(
        self,
        chat: VisionChat,
        *,
        frames: int = FRAMES,
        max_pixels: int = MAX_PIXELS,
        attempts: int = 3,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        self.chat = chat
        self._frames = frames
        self._max_pixels = max_pixels
        self._attempts = attempts
        self._max_tokens = max_tokens

    @property
    def name(self) -> str:
        return self.chat.name

    @property
    def parts(self) -> tuple[VisionChat, ...]:
        """What may lie on a GPU (experts.memory)."""
        return (self.chat,)

    @property
    def version(self) -> str:
        """Of the prompts, what is shown, and the model."""
        shown = f"{self._frames}x{self._max_pixels}"
        return f"{self.algorithm}+{prompts.version()}+{shown}+{self.chat.version}"

    def load(self) -> None:
        self.chat.load()

    def close(self) -> None:
        """The model is shared: whoever made it closes it."""

    def judgements(self, samples: Sequence[PairFrames]) -> list[Judgement | BadInput]:
        """One per sample, in order; `not_measured` for tasks without a rubric and pairs without an
        instruction, BadInput for those that the model refuses (its own) or does not answer
        (`no_answer`, not final). Raises EditmillError where it answers none at all."""
        found: list[Judgement | BadInput] = [Judgement(reason=NOT_MEASURED) for _ in samples]
        asked = [i for i, s in enumerate(samples) if s.task in prompts.FAMILIES and s.instruction]
        questions = [prompts.question(samples[i], self._frames, self._max_pixels) for i in asked]
        for i, answer in zip(asked, self._answers(questions, judgement_in), strict=True):
            found[i] = answer or Judgement(reason=ABSTAINED)
        return found

    def prefer(self, candidates: Sequence[tuple[PairFrames, PairFrames]]) -> list[int]:
        """−1 where the first edit of the two is better, 1 the second, 0 for a tie. Raises as
        `judgements`, and BadInput where one of the comparisons has no answer."""
        asked = [i for i, (a, _) in enumerate(candidates) if a.task in prompts.FAMILIES]
        ask = functools.partial(
            prompts.comparison, frames=self._frames, max_pixels=self._max_pixels
        )
        there = [ask(*candidates[i]) for i in asked]
        back = [ask(*reversed(candidates[i])) for i in asked]
        said = self._answers([*there, *back], preference_in)
        for answer in said:
            if isinstance(answer, BadInput):
                raise answer
        found = [0] * len(candidates)
        for i, first, second in zip(asked, said[: len(asked)], said[len(asked) :], strict=True):
            if isinstance(first, int) and isinstance(second, int) and first == -second:
                found[i] = first
        return found

    def _answers(
        self, questions: Sequence[Question], read: Callable[[str], A]
    ) -> list[A | BadInput | None]:
        """What is read of the answers; None where none of the attempts could be read, BadInput
        where the model refused, or none of them had a text."""
        unanswered = BadInput(
            "no_answer",
            f"{self.name} was asked {self._attempts} times and gave no answer; the next build asks "
            "again",
            final=False,
        )
        found: list[A | BadInput | None] = [unanswered for _ in questions]
        waiting = list(range(len(questions)))
        for seed in range(self._attempts):
            try:
                said = answers(
                    self.chat,
                    [questions[i] for i in waiting],
                    seed=seed,
                    max_tokens=self._max_tokens,
                )
            except NoCompletion:
                if seed == 0:
                    raise
                break  # it has answered others: these cost no build
            asked, waiting = waiting, []
            for i, answer in zip(asked, said, strict=True):
                if isinstance(answer, BadInput):
                    found[i] = answer
                    continue
                try:
                    found[i] = read(answer)
                except ValueError:
                    waiting.append(i)
                    if answer.strip():
                        found[i] = None
            if not waiting:
                break
        return found


def judgement_in(text: str) -> Judgement:
    """The judgement that an answer holds. Raises ValueError, saying what is wrong with it."""
    document = _object_in(text)
    scores: dict[str, float] = {}
    why = {}
    for name in GRADED:
        given = document.get(name)
        grade = given if isinstance(given, dict) else {}
        score = grade.get("score")
        if type(score) is not int or not LOWEST <= score <= HIGHEST:
            raise ValueError(f"{name}: {score!r} is no grade from {LOWEST} to {HIGHEST}")
        scores[name] = float(score)
        reason = grade.get("reason")
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(f"{name}: there is no reason")
        why[name] = " ".join(reason.split())[:LONGEST_REASON]
    for name, flag in (("motion", "contradicts_motion"), ("order", "swapped")):
        if not isinstance(document.get(flag), bool):
            raise ValueError(f"{flag}: {document.get(flag)!r} is neither true nor false")
        scores[name] = 0.0 if document[flag] else 1.0
    return Judgement(scores, why)


def preference_in(text: str) -> int:
    """−1 for A, 1 for B, 0 for a tie. Raises ValueError for an answer that is none of them."""
    better = _object_in(text).get("better")
    if better not in prompts.CHOICES:
        raise ValueError(f"better: {better!r} is none of {', '.join(prompts.CHOICES)}")
    return {"A": -1, "B": 1}.get(better, 0)


def _object_in(text: str) -> dict[str, Any]:
    """The JSON object in an answer, which may have a fence or thoughts around it."""
    found = re.search(r"\{.*\}", text.rpartition("</think>")[2], re.DOTALL)
    try:
        document = json.loads(found[0]) if found else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ValueError("the answer is no JSON object")
    return document
