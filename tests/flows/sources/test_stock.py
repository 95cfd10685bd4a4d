"""What Pexels' and Pixabay's searches have in common, seen with both."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import BadInput, EditmillError
from catalog.validated import validated
from flows.sources import listing as listing_of
from flows.sources.source import Listing, RemoteVideo
from flows.sources.stock.pexels import PexelsSources
from flows.sources.stock.pixabay import PixabaySources
from flows.sources.stock.section import StockSection
from tests.flows.sources.answers import KeptAnswers, go
from tests.flows.sources.stock_server import (
    PEXELS_KEY,
    PIXABAY_KEY,
    FastClock,
    StockServer,
    cut,
    reply,
    video_bytes,
)

SITES: dict[str, tuple[type[StockSection], str, int]] = {
    "pexels": (PexelsSources, "/v1", 80),
    "pixabay": (PixabaySources, "/api/videos", 200),
}


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest, stock: StockServer, monkeypatch: Any) -> str:
    monkeypatch.setenv("PEXELS_API_KEY", PEXELS_KEY)
    monkeypatch.setenv("PIXABAY_API_KEY", PIXABAY_KEY)
    stock.most_hits = 100_000
    return str(request.param)


def section(site: str, stock: StockServer, **keys: Any) -> StockSection:
    kind, path, _ = SITES[site]
    keys = {"search": ["dogs"], **keys}
    return validated(kind, {"kind": site, "endpoint": stock.url + path, **keys}, "recipe")


def ids(found: Listing[RemoteVideo]) -> list[int]:
    return [int(video.identity.split(":")[1]) for video in found.files]


class Night:
    """Build after build on one catalog."""

    def __init__(self, folder: Path, clock: FastClock) -> None:
        self.answers, self.clock = KeptAnswers(folder), clock

    def build(self, section: StockSection) -> Listing[RemoteVideo]:
        """A build that ends with a release."""
        found = self.again(section)
        self.answers.round += 1
        self.clock.time += 24 * 3600
        return found

    def again(self, section: StockSection) -> Listing[RemoteVideo]:
        """One that does not."""
        return section.find(self.answers, clock=self.clock)


@pytest.fixture
def night(tmp_path: Path, clock: FastClock) -> Night:
    return Night(tmp_path / "catalog", clock)


def test_each_build_asks_for_what_is_new(site: str, stock: StockServer, night: Night) -> None:
    asks = section(site, stock, per_build=100)
    per_page = SITES[site][2]
    for build in range(1, 4):
        found = night.build(asks)
        listed = min(100 * build, 250)
        assert ids(found) == stock.results[:listed] and not found.incomplete
        assert len(stock.requests) == -(-listed // per_page)
    assert len(set(stock.requests)) == len(stock.requests)
    # All results are known: the next build looks at what is new, on one page.
    assert ids(night.build(asks)) == stock.results
    assert len(stock.requests) == -(-250 // per_page) + 1


def test_what_is_new_comes_first_at_the_site_and_last_in_the_listing(
    site: str, stock: StockServer, night: Night
) -> None:
    asks = section(site, stock, per_build=1000)
    before = ids(night.build(asks))
    new = [5, 6, 7]
    stock.results[:0] = new
    asked = len(stock.requests)
    assert ids(night.build(asks)) == before + new
    # The first page has something new; the second nothing, and ends the sweep.
    assert len(stock.requests) - asked == 2


def test_within_a_round_nothing_is_asked_again(site: str, stock: StockServer, night: Night) -> None:
    asks = section(site, stock, per_build=100)
    first = night.again(asks)
    asked = len(stock.requests)
    assert night.again(asks) == first and len(stock.requests) == asked


def test_results_that_change_between_pages(site: str, stock: StockServer, night: Night) -> None:
    """New ones push others to a page that is asked later, and some vanish."""
    asks = section(site, stock, per_build=90)
    listed: list[int] = []
    for build in range(1, 8):
        found = ids(night.build(asks))
        assert found[: len(listed)] == listed and len(set(found)) == len(found)
        listed = found
        stock.results[:0] = [build * 2, build * 2 + 1]
        del stock.results[100 + build]
    assert set(range(2, 12)) <= set(listed)


def test_moving_per_build_moves_nothing(site: str, stock: StockServer, night: Night) -> None:
    terms = ["dogs", "cats"]
    listed: list[int] = []
    stock.results[:] = range(1000)
    for per_build in (60, 5, 130, 1):
        asks = section(site, stock, search=terms, per_build=per_build)
        found = ids(night.build(asks))
        assert found[: len(listed)] == listed
        listed = found
    # Both terms find the same videos here: what one has found is none of the other's.
    assert listed == sorted(set(listed)) and len(listed) == 2 * (60 + 5 + 130 + 1)


def test_what_several_terms_found_stays_in_its_place(
    site: str, stock: StockServer, night: Night
) -> None:
    stock.by_term = {"dogs": list(range(300)), "cats": list(range(1000, 1300))}
    for build, per_build in enumerate((3, 2, 2), 1):
        asks = section(site, stock, search=["dogs", "cats"], per_build=per_build)
        found = ids(night.build(asks))
        assert len(found) == {1: 6, 2: 10, 3: 14}[build]
    assert found == [0, 1, 2, 1000, 1001, 1002, 3, 4, 1003, 1004, 5, 6, 1005, 1006]


def test_a_term_that_is_added_later_comes_after_what_was_found(
    site: str, stock: StockServer, night: Night
) -> None:
    dogs = section(site, stock, per_build=10)
    night.build(dogs)
    before = ids(night.build(dogs))
    both = section(site, stock, search=["cats", "dogs"], per_build=10)
    after = ids(night.build(both))
    assert after[:20] == before and len(after) == 40
    assert ids(night.build(both))[:40] == after


def test_a_term_given_twice_is_one(site: str, stock: StockServer, night: Night) -> None:
    found = night.build(section(site, stock, search=["dogs", " dogs"], per_build=10))
    assert len(found.files) == 10 and len(stock.requests) == 1


def test_no_more_than_the_limit(site: str, stock: StockServer, night: Night) -> None:
    asks = section(site, stock, per_build=30, limit=50)
    assert [len(ids(night.build(asks))) for _ in range(4)] == [30, 50, 50, 50]
    assert len(stock.requests) == 1
    assert ids(night.build(section(site, stock, per_build=30, limit=70))) == stock.results[:70]


def test_a_server_that_gives_its_last_page_for_any_number(
    stock: StockServer, night: Night, monkeypatch: Any
) -> None:
    monkeypatch.setenv("PEXELS_API_KEY", PEXELS_KEY)
    stock.results[:] = range(80)
    endless = {"next_page": "https://api.pexels.com/v1/videos/search/?page=9"}
    page = PexelsSources.page
    monkeypatch.setattr(PexelsSources, "page", lambda self, a, n: page(self, {**a, **endless}, n))
    monkeypatch.setattr(
        PexelsSources, "asked", lambda self, q, n: {**dict(q.params), "per_page": 80, "page": 1}
    )
    assert ids(night.build(section("pexels", stock, per_build=500))) == list(range(80))
    assert len(stock.requests) == 2


# What a site says to a request


def test_the_end_of_the_limit_ends_the_search_for_tonight(
    site: str, stock: StockServer, night: Night
) -> None:
    stock.now = lambda: night.clock.time
    headers = {"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "3600", "X-Ratelimit-Limit": "1"}
    stock.limits = headers
    asks = section(site, stock, per_build=240, search=["dogs", "cats"])
    found = night.build(asks)
    assert found.incomplete and ids(found) == stock.results[: SITES[site][2]]
    assert len(stock.requests) == 1 and not night.clock.waits
    (note,) = found.notes
    assert note.startswith(f"{site}: ") and "no more requests until 2027-01-15 09:00:00 UTC" in note
    # With more patience it waits before each further request, to the second.
    found = night.again(asks.model_copy(update={"longest_wait": 4000.0}))
    assert ids(found) == stock.results and not found.incomplete
    further = len(stock.requests) - 2
    assert further and sum(night.clock.waits) == pytest.approx(3600 * further, abs=1e-3)


def test_errors_that_pass(site: str, stock: StockServer, night: Night) -> None:
    path = SITES[site][1]
    stock.script(path, reply(500), reply(429, {"Retry-After": "30"}), reply(502))
    found = night.build(section(site, stock))
    assert len(found.files) == 100 and not found.incomplete
    assert 30 in [round(sum(list(night.clock.waits)[2:62]))]


def test_a_site_that_is_away_is_a_note(site: str, stock: StockServer, night: Night) -> None:
    asks = section(site, stock, per_build=10, search=["dogs", "cats", "birds"])
    stock.script(SITES[site][1], *[reply(503)] * 6)
    found = night.build(asks)
    assert found.incomplete and not found.files and len(stock.requests) == 6
    assert len(found.notes) == 1 and "status 503" in found.notes[0]
    later = night.build(asks)
    assert len(later.files) == 30 and not later.incomplete


def test_an_answer_that_is_not_as_documented(site: str, stock: StockServer, night: Night) -> None:
    stock.script(SITES[site][1], reply(200, {}, b'{"videos": 3, "hits": [{}]}'))
    found = night.build(section(site, stock))
    assert found.incomplete and "not as documented" in found.notes[0]


@pytest.mark.parametrize("status", [0, 401, 403])
def test_a_key_that_is_refused(
    site: str, stock: StockServer, night: Night, monkeypatch: Any, caplog: Any, status: int
) -> None:
    """`status` 0: as the site itself says it."""
    caplog.set_level(logging.DEBUG)
    variable = f"{site.upper()}_API_KEY"
    monkeypatch.setenv(variable, "expired&key/1")
    if status:
        stock.script(SITES[site][1], reply(status, {}, b"expired&key/1 is wrong"))
    with pytest.raises(EditmillError) as error:
        night.build(section(site, stock))
    assert variable in str(error.value) and "refused" in str(error.value)
    assert not isinstance(error.value, BadInput) and len(stock.requests) == 1
    chain = [error.value, error.value.__cause__, error.value.__context__]
    shown = caplog.text + "".join(map(repr, chain))
    assert "expired&key" not in shown and "expired%26key" not in shown


def test_without_a_key(site: str, stock: StockServer, night: Night, monkeypatch: Any) -> None:
    variable = f"{site.upper()}_API_KEY"
    monkeypatch.delenv(variable)
    with pytest.raises(EditmillError, match=f"set {variable}"):
        night.build(section(site, stock))
    monkeypatch.setenv(variable, "two\nlines")
    with pytest.raises(EditmillError, match=f"what {variable} holds is no key") as error:
        night.build(section(site, stock))
    assert "two" not in str(error.value) and not stock.requests


def test_a_key_from_a_prefect_block(
    site: str, stock: StockServer, night: Night, monkeypatch: Any
) -> None:
    from prefect.blocks.system import Secret

    blocks = {"ours": {"pexels": PEXELS_KEY, "pixabay": PIXABAY_KEY}[site]}

    def load(name: str, **_: object) -> Secret[str]:
        return Secret[str](value=blocks[name])  # type: ignore[arg-type]

    monkeypatch.setattr(Secret, "load", load)
    monkeypatch.delenv(f"{site.upper()}_API_KEY")
    assert night.build(section(site, stock, secret="ours")).files
    with pytest.raises(EditmillError, match="block 'theirs' cannot be read"):
        Night(Path(night.answers.folder) / "b", night.clock).build(
            section(site, stock, secret="theirs")
        )


def test_the_key_is_kept_nowhere(site: str, stock: StockServer, night: Night, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    asks = section(site, stock)
    found = night.build(asks)
    kept = "".join(p.read_text() for p in night.answers.folder.rglob("*.json"))
    shown = f"{kept} {found!r} {asks!r} {asks.model_dump_json()} {caplog.text}"
    assert "1000" in kept and "HTTP Request" in caplog.text
    for key in (PEXELS_KEY, PIXABAY_KEY, "secret"):
        assert key not in shown.replace("secret=None", "").replace('"secret":null', "")


# Videos


def test_a_video_is_listed_with_its_rights(site: str, stock: StockServer, night: Night) -> None:
    video = night.build(section(site, stock)).files[3]
    assert (video.name, video.identity, video.suffix) == (f"{site}/1003", f"{site}:1003", ".mp4")
    if site == "pexels":
        assert video.uri == "https://www.pexels.com/video/a-video-1003/"
        assert video.author == "Ana 2 (https://www.pexels.com/@ana)"
        assert video.licence == "LicenseRef-Pexels"
    else:
        assert video.uri == "https://pixabay.com/videos/id-1003/"
        assert video.author == "Ben (https://pixabay.com/users/Ben-3/)"
        assert video.licence == "LicenseRef-Pixabay"


@pytest.mark.parametrize(
    ("bounds", "name"),
    [
        ({}, "qhd"),
        ({"short_side": 720}, "hd"),
        ({"short_side": 2161, "largest_side": 3840}, "uhd"),
        ({"largest_side": 1920}, "hd"),
        ({"largest_side": 960, "short_side": 540, "smallest_side": 360}, "sd"),
        ({"largest_side": 1000}, ""),
    ],
)
def test_the_rendition(
    site: str, stock: StockServer, night: Night, bounds: dict[str, int], name: str
) -> None:
    found = night.build(section(site, stock, **bounds, per_build=5))
    links = {getattr(video.address, "link", "").split("/")[-1] for video in found.files}
    assert links == ({f"{name}.mp4"} if name else set())
    if not name:
        assert found.notes == [
            f"{site}: Left out: 250 without a file of 720 px or more, and no more than 1000 px and "
            "2,147,483,648 bytes"
        ]


def test_only_as_long_as_wanted(site: str, stock: StockServer, night: Night) -> None:
    found = night.build(section(site, stock, per_build=500, min_duration=10, max_duration=12))
    assert ids(found) == [each for each in stock.results if 10 <= 5 + each % 20 <= 12]
    assert len(found.notes) == 2


def test_a_video_is_downloaded(site: str, stock: StockServer, night: Night, tmp_path: Path) -> None:
    video = night.build(section(site, stock)).files[0]
    address = pickle.loads(pickle.dumps(video.address))
    stock.script("/files", cut(1000))
    address.download(tmp_path / "a.mp4", go)
    assert (tmp_path / "a.mp4").read_bytes() == video_bytes("/files/1000/qhd.mp4", 3000)
    assert PEXELS_KEY not in [h.get("authorization") for h in stock.headers[-2:]]


def test_an_expired_link_is_asked_for_anew_once(
    site: str, stock: StockServer, night: Night, tmp_path: Path
) -> None:
    video = night.build(section(site, stock)).files[0]
    stock.moved = True
    before = len(stock.requests)
    video.address.download(tmp_path / "a.mp4", go)
    assert (tmp_path / "a.mp4").read_bytes() == video_bytes("/fresh/1000/qhd.mp4", 3000)
    assert len(stock.requests) - before == 3
    stock.script("/fresh", reply(403))
    with pytest.raises(BadInput) as error:
        video.address.download(tmp_path / "b.mp4", go)
    assert not error.value.final and not (tmp_path / "b.mp4").exists()


def test_no_fresh_link_without_a_key_or_a_video(
    site: str, stock: StockServer, night: Night, tmp_path: Path, monkeypatch: Any
) -> None:
    video = night.build(section(site, stock)).files[0]
    stock.moved = True
    stock.script(SITES[site][1], reply(404))
    with pytest.raises(BadInput, match="no longer there") as error:
        video.address.download(tmp_path / "a.mp4", go)
    assert error.value.final
    monkeypatch.delenv(f"{site.upper()}_API_KEY")
    with pytest.raises(BadInput, match="API_KEY") as error:
        video.address.download(tmp_path / "a.mp4", go)
    assert not error.value.final


def test_a_file_above_the_bound_is_refused(
    site: str, stock: StockServer, night: Night, tmp_path: Path
) -> None:
    stock.size = 10_000_001
    video = night.build(section(site, stock, largest_bytes=10_000_000)).files[0]
    with pytest.raises(BadInput, match="10,000,000 bytes"):
        video.address.download(tmp_path / "a.mp4", go)


def test_it_is_listed_beside_other_sources(site: str, stock: StockServer, night: Night) -> None:
    asks = section(site, stock, per_build=3, labels=["dog"])
    found = listing_of([asks], night.answers)
    assert [file.name for file in found.files] == [f"{site}/{n}" for n in (1000, 1001, 1002)]
    assert found.files[0].section.labels == ("dog",)


# Recipes


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"search": []}, "nothing to look for"),
        ({"endpoint": "ftp://x"}, "https"),
        ({"endpoint": "https://user:pass@x"}, "no user"),
        ({"key": "k"}, "unknown key `key`"),
        ({"min_duration": 9, "max_duration": 8}, "is 9.0, above `max_duration`, 8.0"),
        ({"smallest_side": 2000}, "is 2000, above `short_side`, 1280"),
        ({"per_build": 0}, "per_build"),
        ({"search": [" "]}, "search"),
    ],
)
def test_a_wrong_section(site: str, stock: StockServer, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(EditmillError, match=said):
        section(site, stock, **keys)
