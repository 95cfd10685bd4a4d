"""What only Pixabay has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.sources.stock.pixabay import PixabaySources
from tests.flows.sources.answers import KeptAnswers
from tests.flows.sources.stock_server import PIXABAY_KEY, FastClock, StockServer


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXABAY_API_KEY", PIXABAY_KEY)


def asks(stock: StockServer, **keys: Any) -> PixabaySources:
    return PixabaySources(kind="pixabay", endpoint=f"{stock.url}/api/videos", **keys)


def test_search_and_latest(stock: StockServer, clock: FastClock, tmp_path: Path) -> None:
    section = asks(stock, search=("two dogs",), latest=True, category="animals", per_build=10)
    found = section.find(KeptAnswers(tmp_path), clock=clock)
    without_key = [p.replace("%20", "+").partition("&key=")[0] for p in stock.requests]
    assert without_key == [
        "/api/videos/?q=two+dogs&order=popular&video_type=film&category=animals"
        "&per_page=200&page=1",
        "/api/videos/?order=latest&video_type=film&category=animals&per_page=200&page=1",
    ]
    assert len(found.files) == 20


def test_the_results_end_where_the_api_ends_them(
    stock: StockServer, clock: FastClock, tmp_path: Path
) -> None:
    stock.results[:] = range(900)
    found = asks(stock, search=("dogs",), per_build=1000).find(KeptAnswers(tmp_path), clock=clock)
    assert len(found.files) == 500 and len(stock.requests) == 3 and not found.incomplete


def test_nothing_is_asked_for_again_within_a_day(
    stock: StockServer, clock: FastClock, tmp_path: Path
) -> None:
    stock.results[:] = range(10)
    section, answers = asks(stock, search=("dogs",)), KeptAnswers(tmp_path)
    for build, (hours, requests) in enumerate([(0, 1), (23, 1), (0.9, 1), (0.2, 2)], 1):
        answers.round = build
        clock.time += hours * 3600
        assert len(section.find(answers, clock=clock).files) == 10
        assert len(stock.requests) == requests


def test_a_page_that_is_no_more(stock: StockServer, clock: FastClock, tmp_path: Path) -> None:
    """Between two nights, results vanished."""
    stock.results[:] = range(450)
    answers = KeptAnswers(tmp_path)
    section = asks(stock, search=("dogs",), per_build=200)
    section.find(answers, clock=clock)
    answers.round = 2
    del stock.results[150:]
    found = section.find(answers, clock=clock)
    assert len(found.files) == 200 and not found.incomplete and len(stock.requests) == 2
