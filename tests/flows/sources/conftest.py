"""A server with two stock sites, and a clock that waits in no time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows.sources.stock_server import FastClock, StockServer, running


@pytest.fixture
def stock(monkeypatch: pytest.MonkeyPatch) -> Iterator[StockServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with running(results=list(range(1000, 1250))) as server:
        yield server


@pytest.fixture
def clock() -> FastClock:
    return FastClock()
