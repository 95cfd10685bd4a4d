"""The results of one search, page by page, over the nights.

Every page's answer is kept, under the question, the sweep and the page's number, so that a search
goes on at the first page without an answer. The first sweep goes through all results there are;
each further one begins at page 1 again and ends with the first page where everything is known: new
footage comes first. A sweep begins in a later round than the one before ended in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import count

from catalog.keys import digest
from flows.sources.http import SYSTEM, Clock
from flows.sources.source import Answers
from flows.sources.stock.records import ResultPage, StockQuery, StockVideo


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer, with the round and the time (s since 1970) in which it was asked for."""

    page: ResultPage
    round: int
    time: float


class Results:
    """The videos of a question in the order in which they were met, each once.

    Iterating asks for a page only when its first video is wanted and no answer is kept. No page is
    asked for again within `cached_for` seconds.
    """

    def __init__(
        self,
        site: str,
        question: StockQuery,
        answers: Answers,
        ask: Callable[[StockQuery, int], ResultPage],
        *,
        cached_for: float = 0.0,
        clock: Clock = SYSTEM,
    ) -> None:
        self.question = question
        self.key = digest("search", site, question.path, dict(question.params))
        self.round = answers.rounds(self.key)
        self._answers = answers
        self._ask = ask
        self._cached_for, self._clock = cached_for, clock

    def __iter__(self) -> Iterator[StockVideo]:
        known: set[str] = set()
        for sweep in count(1):
            first, last = yield from self._sweep(sweep, known)
            over = last.round < self.round
            if not over or self._clock.now() < first.time + self._cached_for:
                return

    def _sweep(
        self, sweep: int, known: set[str]
    ) -> Generator[StockVideo, None, tuple[_Kept, _Kept]]:
        """Yields what is not `known`; returns the first and the last answer."""
        first = answer = self._answer(sweep, 1)
        for number in count(2):
            ids = [video.id for video in answer.page.videos]
            new = {video.id: video for video in answer.page.videos if video.id not in known}
            known.update(new)
            yield from new.values()
            if answer.page.last or not ids or (sweep > 1 and not new):
                break
            answer = self._answer(sweep, number)
            if [video.id for video in answer.page.videos] == ids:
                break  # there are servers that give their last page for any number
        return first, answer

    def _answer(self, sweep: int, number: int) -> _Kept:
        key = digest("page", self.key, sweep, number)
        kept = self._answers.get(key)
        if kept is None:
            self._answers.check_stop()
            page = self._ask(self.question, number)
            now = self._clock.now()
            videos = [video.document() for video in page.videos]
            document = {"round": self.round, "time": now, "last": page.last, "videos": videos}
            self._answers.put(key, document)
            return _Kept(page, self.round, now)
        page = ResultPage([StockVideo.of(video) for video in kept["videos"]], kept["last"])
        return _Kept(page, kept["round"], kept["time"])
