"""All that was found for a section, round by round, and what this round adds.

How far each round came in the results of each question is kept, so that what earlier builds found
stays in its place, whatever `per_build` is now and however much each question gave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from catalog.keys import digest
from flows.sources.http import Unavailable
from flows.sources.source import Answers, Listing, RemoteVideo
from flows.sources.stock.records import StockVideo
from flows.sources.stock.results import Results

Accept = Callable[[StockVideo], RemoteVideo | str]
"""The video as it shall be fetched, or why it is left out."""


def listing(
    questions: list[Results], answers: Answers, accept: Accept, per_build: int, limit: int | None
) -> Listing[RemoteVideo]:
    """Earlier rounds' videos in their order, then up to `per_build` new ones of each question; in
    all no more than `limit`. What does not answer is a note, and the listing `incomplete`."""
    found = _Found(accept, limit)
    searches = [_Search(results, answers) for results in questions]
    rounds = max((len(search.positions) for search in searches), default=0)
    for back in range(rounds, 0, -1):
        for search in searches:
            if back <= len(search.positions):
                search.go_to(search.positions[-back], found)
    for search in searches:
        search.find_more(per_build, found)
        search.keep_position()
    notes = list(dict.fromkeys(search.note for search in searches if search.note))
    incomplete = bool(notes)
    return Listing(found.files, found.notes() + notes, incomplete)


class _Found:
    """The listing as it grows."""

    def __init__(self, accept: Accept, limit: int | None) -> None:
        self.files: list[RemoteVideo] = []
        self._accept, self._limit = accept, limit
        self._seen: set[str] = set()
        self._left_out: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        return self._limit is not None and len(self.files) >= self._limit

    def add(self, video: StockVideo) -> bool:
        """Whether the video is one more; what another question found already is not."""
        if video.id in self._seen or self.full:
            return False
        self._seen.add(video.id)
        accepted = self._accept(video)
        if isinstance(accepted, str):
            self._left_out[accepted] += 1
            return False
        self.files.append(accepted)
        return True

    def notes(self) -> list[str]:
        return [f"Left out: {count} {why}" for why, count in sorted(self._left_out.items())]


class _Search:
    """The way through one question's results: `positions` are how many of them the listing held
    after each earlier round."""

    def __init__(self, results: Results, answers: Answers) -> None:
        self._results, self._answers = results, answers
        self._videos = iter(results)
        self._position = 0
        self.note = ""
        self.positions = self._kept()

    def go_to(self, position: int, found: _Found) -> None:
        while self._position < position and (video := self._next()):
            found.add(video)

    def find_more(self, count: int, found: _Found) -> None:
        while count and not found.full and (video := self._next()):
            count -= found.add(video)

    def keep_position(self) -> None:
        """Keep how far this round came; a later one goes on there."""
        key = self._key(self._results.round)
        position = max([self._position, *self.positions[-1:]])
        document = {"positions": [*self.positions, position]}
        if self._answers.get(key) != document:
            self._answers.put(key, document)

    def _next(self) -> StockVideo | None:
        if self.note:
            return None
        try:
            video = next(self._videos, None)
        except Unavailable as error:
            self.note = str(error)
            return None
        self._position += video is not None
        return video

    def _kept(self) -> list[int]:
        for number in range(self._results.round - 1, 0, -1):
            if kept := self._answers.get(self._key(number)):
                return list(kept["positions"])
        return []

    def _key(self, number: int) -> str:
        return digest("position", self._results.key, number)
