"""Asks a stock site's API."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from catalog.errors import EditmillError
from flows.sources.http import SYSTEM, Clock, Gone, HttpClient, Patience, StatusRefused, Unavailable
from flows.sources.stock.key import api_key
from flows.sources.stock.records import ResultPage, StockQuery, StockVideo

if TYPE_CHECKING:
    from flows.sources.stock.section import StockSection


class Api:
    """The API of a section's site. The key is looked for when it is first needed.

    Once it does not answer, or its limit is used up for longer than the section waits, nothing more
    is asked: each further call raises the same Unavailable.
    """

    def __init__(
        self, section: StockSection, check_stop: Callable[[], None], clock: Clock = SYSTEM
    ) -> None:
        self._section = section
        self._check_stop = check_stop
        self._clock = clock
        self._client: HttpClient | None = None
        self._away: Unavailable | None = None

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def page(self, question: StockQuery, number: int) -> ResultPage:
        """One page of a question's results.

        Raises EditmillError where there is no key, or it or the question is refused; Unavailable
        where there is no answer.
        """
        try:
            return self._ask(question, number)
        except StatusRefused as error:
            if self._section.is_beyond(error):
                return ResultPage([], last=True)
            raise self._refused(question, error) from None

    def video(self, identity: str) -> StockVideo | None:
        """A single video with links of now; None where it is no longer there."""
        question = self._section.question_of(identity)
        try:
            videos = self._ask(question, 1).videos
        except Gone:
            return None
        except StatusRefused as error:
            raise self._refused(question, error) from None
        return videos[0] if videos else None

    def _ask(self, question: StockQuery, number: int) -> ResultPage:
        if self._away is not None:
            raise self._away
        section = self._section
        if self._client is None:
            self._client = self._opened()
        url = f"{section.endpoint}{question.path}"
        try:
            answer = self._client.get_json(url, section.asked(question, number), self._check_stop)
            return section.page(answer, number)
        except Unavailable as error:
            self._away = error
            raise
        except (KeyError, TypeError, ValueError, AttributeError):
            self._away = Unavailable(f"{question.name}: the answer is not as documented")
            raise self._away from None

    def _opened(self) -> HttpClient:
        section = self._section
        key = api_key(section.SITE, section.VARIABLE, section.secret, section.KEY_PAGE)
        patience = Patience(longest_wait=section.longest_wait)
        credential = section.credential(key)
        return HttpClient(section.trusted(), credential, patience=patience, clock=self._clock)

    def _refused(self, question: StockQuery, error: StatusRefused) -> EditmillError:
        section = self._section
        if section.refuses_key(error):
            where = section.VARIABLE if section.secret is None else f"the block {section.secret!r}"
            return EditmillError(
                f"{section.SITE}: the key in {where} was refused ({error.status}); it is wrong or "
                f"has expired, set one from {section.KEY_PAGE}"
            )
        return EditmillError(f"{section.SITE}, {question.name}: {error}; correct the recipe")
