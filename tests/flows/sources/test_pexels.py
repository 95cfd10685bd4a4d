"""What only Pexels has."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.errors import EditmillError
from flows.sources.stock.pexels import PexelsSources
from tests.flows.sources.answers import KeptAnswers
from tests.flows.sources.stock_server import PEXELS_KEY, FastClock, StockServer


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEXELS_API_KEY", PEXELS_KEY)


def test_search_popular_and_collections(
    stock: StockServer, clock: FastClock, tmp_path: Path
) -> None:
    asks = PexelsSources(
        kind="pexels",
        search=("two dogs",),
        popular=True,
        collections=("9mp14cx",),
        orientation="landscape",
        size="medium",
        locale="de-DE",
        min_duration=6,
        per_build=10,
        endpoint=f"{stock.url}/v1",
    )
    found = asks.find(KeptAnswers(tmp_path), clock=clock)
    assert [path.replace("%20", "+") for path in stock.requests] == [
        "/v1/videos/search?query=two+dogs&orientation=landscape&size=medium&locale=de-DE"
        "&per_page=80&page=1",
        "/v1/videos/popular?min_duration=6&per_page=80&page=1",
        "/v1/collections/9mp14cx?type=videos&per_page=80&page=1",
    ]
    assert len(found.files) == 30 and not found.incomplete


def test_a_collection_that_is_not_there(
    stock: StockServer, clock: FastClock, tmp_path: Path
) -> None:
    asks = PexelsSources(kind="pexels", collections=("ab",), endpoint=f"{stock.url}/v2")
    with pytest.raises(EditmillError, match=r"collection ab: .*404.*correct the recipe"):
        asks.find(KeptAnswers(tmp_path), clock=clock)


def test_another_endpoint_is_the_users_and_may_be_private() -> None:
    own = PexelsSources(kind="pexels", popular=True)
    assert own.trusted() == frozenset()
    cache = PexelsSources(
        kind="pexels", popular=True, endpoint="http://10.0.0.7/pexels/", hosts=("Cache.local",)
    )
    assert cache.trusted() == {"10.0.0.7", "cache.local"}
    assert cache.endpoint == "http://10.0.0.7/pexels"
