"""The results of one search, page by page, over the nights.

Every page's answer is kept, under the question, the sweep and the page's number, so that a search
goes on at the first page without an answer. The first sweep goes through all results there are;
each further one begins at page 1 again and ends with the first page where everything is known: new
footage comes first. A sweep begins in a later round than the one before ended in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import count

from catalog.keys import digest
from flows.sources.source import Answers
from flows.sources.stock.records import Page, Question, StockVideo


class Results:
    """The videos of a question in the order in which they were met, each once.

    Iterating asks for a page only when its first video is wanted and no answer is kept.
    """

    def __init__(
        self,
        site: str,
        question: Question,
        answers: Answers,
        ask: Callable[[Question, int], Page],
    ) -> None:
        self.question = question
        self.key = digest("search", site, question.path, dict(question.params))
        self.round = answers.rounds(self.key)
        self._answers = answers
        self._ask = ask

    def __iter__(self) -> Iterator[StockVideo]:
        known: set[str] = set()
        for sweep in count(1):
            asked_in = yield from self._sweep(sweep, known)
            if asked_in >= self.round:
                return

    def _sweep(self, sweep: int, known: set[str]) -> Generator[StockVideo, None, int]:
        """Yields what is not `known`; returns the round in which the last page was asked."""
        before: list[str] = []
        for number in count(1):
            page, asked_in = self._page(sweep, number)
            ids = [video.id for video in page.videos]
            new = {video.id: video for video in page.videos if video.id not in known}
            known.update(new)
            yield from new.values()
            repeats = ids == before  # there are servers that give their last page for any number
            if page.last or not ids or repeats or (sweep > 1 and not new):
                return asked_in
            before = ids
        raise AssertionError

    def _page(self, sweep: int, number: int) -> tuple[Page, int]:
        key = digest("page", self.key, sweep, number)
        kept = self._answers.get(key)
        if kept is None:
            self._answers.check_stop()
            page = self._ask(self.question, number)
            videos = [video.document() for video in page.videos]
            self._answers.put(key, {"round": self.round, "last": page.last, "videos": videos})
            return page, self.round
        return Page([StockVideo.of(v) for v in kept["videos"]], kept["last"]), kept["round"]
