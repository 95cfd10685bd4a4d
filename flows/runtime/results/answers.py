"""What remote places answered, in the journal: nothing is asked twice, by this build or a later."""

from __future__ import annotations

from typing import Any

from flows.runtime.context import Context

ANSWERS = "answers"
ROUNDS = "rounds"


class KeptAnswers:
    """`flows.sources.source.Answers` of one build."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def get(self, key: str) -> dict[str, Any] | None:
        return self._ctx.catalog.products.get(ANSWERS, key)

    def put(self, key: str, answer: dict[str, Any]) -> None:
        self._ctx.catalog.products.put(ANSWERS, key, answer)

    def rounds(self, search: str) -> int:
        if search not in self._ctx.rounds:
            page = self._ctx.catalog.products.page(ROUNDS, search)
            number = 1
            while page.get(str(number)) is not None:
                number += 1
            self._ctx.rounds[search] = number
        return self._ctx.rounds[search]

    def check_stop(self) -> None:
        self._ctx.check_stop()


def end_rounds(ctx: Context) -> None:
    """To be called when a build has its release: the next one begins new rounds."""
    for search, number in ctx.rounds.items():
        ctx.catalog.products.page(ROUNDS, search).put({str(number): {"ended": True}})
