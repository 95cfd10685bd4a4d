"""Files are streamed whole or not at all."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from catalog.errors import BadInput, EditmillError
from flows.sources.http import Denied, Gone, HttpClient, Patience, Unavailable, download
from tests.flows.sources.stock_server import FastClock, StockServer, cut, reply, video_bytes

HOME = ("127.0.0.1",)
FILE = "/files/1/hd.mp4"


def go() -> None:
    """No stop."""


def fetch(stock: StockServer, clock: FastClock, to: Path, path: str = FILE, **more: int) -> bytes:
    with HttpClient(HOME, clock=clock, patience=Patience(attempts=4)) as client:
        download(client, f"{stock.url}{path}", to, go, **more)
    return to.read_bytes()


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "video.mp4"


def test_a_file_arrives_whole(stock: StockServer, clock: FastClock, to: Path) -> None:
    stock.size = 1_000_000
    assert fetch(stock, clock, to) == video_bytes(FILE, 1_000_000)
    assert [p.name for p in to.parent.iterdir()] == ["video.mp4"]
    assert stock.headers[0]["accept-encoding"] == "identity"


def test_one_cut_short_goes_on_where_it_broke_off(
    stock: StockServer, clock: FastClock, to: Path
) -> None:
    stock.size = 1_000_000
    stock.script("/files", cut(400_000), cut(300_000))
    assert fetch(stock, clock, to) == video_bytes(FILE, 1_000_000)
    ranges = [headers.get("range") for headers in stock.headers]
    assert ranges == [None, "bytes=400000-", "bytes=700000-"]
    assert [h.get("if-range") for h in stock.headers] == [None, '"one"', '"one"']
    assert {h["accept-encoding"] for h in stock.headers} == {"identity"}


def test_a_file_that_changed_meanwhile_is_not_mixed(
    stock: StockServer, clock: FastClock, to: Path
) -> None:
    stock.size = 100_000

    def changed(handler: object) -> None:
        handler.ordinary(cut_after=50_000)  # type: ignore[attr-defined]
        stock.etag, stock.size = '"two"', 90_000

    stock.script("/files", changed)
    assert fetch(stock, clock, to) == video_bytes(FILE, 90_000)


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_etag_it_begins_anew(
    stock: StockServer, clock: FastClock, to: Path, etag: str
) -> None:
    stock.size, stock.etag = 100_000, etag
    stock.script("/files", cut(50_000))
    assert fetch(stock, clock, to) == video_bytes(FILE, 100_000)
    assert [headers.get("range") for headers in stock.headers] == [None, None]


@pytest.mark.parametrize(
    ("first", "content_range", "length"),
    [
        ({}, "bytes 1-99999/100000", 99_999),
        ({}, "bytes 50000-99998/100000", 49_999),
        ({}, "bytes 50000-89999/90000", 40_000),
        ({}, "pages 2-3", 50_000),
        ({"Transfer-Encoding": "chunked"}, "bytes 50000-89999/*", 40_000),
    ],
)
def test_a_server_that_sends_another_range_is_asked_for_all(
    stock: StockServer,
    clock: FastClock,
    to: Path,
    first: dict[str, str],
    content_range: str,
    length: int,
) -> None:
    stock.size = 100_000
    wrong = {"ETag": '"one"', "Content-Range": content_range}
    stock.script("/files", cut(50_000, first), reply(206, wrong, b"x" * length))
    assert fetch(stock, clock, to) == video_bytes(FILE, 100_000)
    assert [h.get("range") for h in stock.headers] == [None, "bytes=50000-", None]


def test_a_part_that_nobody_asked_for(stock: StockServer, clock: FastClock, to: Path) -> None:
    part = {"ETag": '"one"', "Content-Range": "bytes 0-1999/3000"}
    stock.script("/files", reply(206, part, video_bytes(FILE, 2000)))
    assert fetch(stock, clock, to) == video_bytes(FILE, 3000)


def test_a_range_that_is_no_more(stock: StockServer, clock: FastClock, to: Path) -> None:
    stock.size = 100_000
    stock.script("/files", cut(50_000), reply(416))
    assert fetch(stock, clock, to) == video_bytes(FILE, 100_000)
    assert stock.headers[2].get("range") is None


def test_chunks_cut_short_are_noticed(stock: StockServer, clock: FastClock, to: Path) -> None:
    stock.size = 100_000
    chunked = {"Transfer-Encoding": "chunked"}
    stock.script("/files", cut(50_000, chunked), cut(20_000, chunked))
    assert fetch(stock, clock, to) == video_bytes(FILE, 100_000)
    assert [h.get("range") for h in stock.headers] == [None, "bytes=50000-", "bytes=70000-"]


def test_a_body_that_ends_with_the_connection_is_refused(
    stock: StockServer, clock: FastClock, to: Path
) -> None:
    def endless(handler: object) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + video_bytes(FILE, 5000))  # type: ignore[attr-defined]
        handler.close_connection = True  # type: ignore[attr-defined]
        handler.connection.shutdown(socket.SHUT_WR)  # type: ignore[attr-defined]

    stock.script("/files", endless)
    with pytest.raises(Unavailable, match="no length"):
        fetch(stock, clock, to)


def test_one_that_always_breaks_off_leaves_nothing(
    stock: StockServer, clock: FastClock, to: Path
) -> None:
    stock.script("/files", *[cut(10)] * 4)
    with pytest.raises(Unavailable, match="4 tries") as error:
        fetch(stock, clock, to)
    assert not error.value.final and not list(to.parent.iterdir())


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "a web page"),
        (b"\xef\xbb\xbf \n<html>" + b"x" * 3000, "a web page"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", "HLS"),
        (b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash">', "DASH"),
        (json.dumps({"error": "expired"}).encode(), "JSON"),
        ("Zugriff verweigert, leider \u00fc".encode(), "a text"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 2000, "a picture"),
    ],
)
def test_what_is_no_video_is_noticed_by_its_first_bytes(
    stock: StockServer, clock: FastClock, to: Path, body: bytes, what: str
) -> None:
    stock.script("/files", reply(200, {"Content-Type": "video/mp4"}, body))
    with pytest.raises(BadInput, match=what) as error:
        fetch(stock, clock, to)
    assert error.value.final and error.value.reason == "not_a_video"
    assert len(stock.requests) == 1 and not list(to.parent.iterdir())


@pytest.mark.parametrize(
    "body", [video_bytes("x", 900), b"YUV4MPEG2 W2 H2\nFRAME\n" + b"a" * 12,
             b"\x47\x40\x00\x10" * 400,
             b"\x1aE\xdf\xa3" + b"matroska" * 300, b"\xff\xd8\xff\xe0" + b"\0" * 900],
)  # fmt: skip
def test_what_may_be_a_video_is_left_to_the_decoder(
    stock: StockServer, clock: FastClock, to: Path, body: bytes
) -> None:
    stock.script("/files", reply(200, {"Content-Type": "text/html"}, body))
    assert fetch(stock, clock, to) == body


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large_a_file_is_refused(
    stock: StockServer, clock: FastClock, to: Path, chunked: bool
) -> None:
    stock.size = 100_000
    if chunked:
        stock.script("/files", cut(100_000, {"Transfer-Encoding": "chunked"}))
    with pytest.raises(BadInput, match="99,999 bytes") as error:
        fetch(stock, clock, to, most_bytes=99_999)
    assert error.value.final and error.value.reason == "too_large"
    assert not list(to.parent.iterdir())


@pytest.mark.parametrize(
    ("status", "kind"), [(404, Gone), (410, Gone), (403, Denied), (401, Denied)]
)
def test_gone_is_final_and_denied_is_not(
    stock: StockServer, clock: FastClock, to: Path, status: int, kind: type[BadInput]
) -> None:
    stock.script("/files", reply(status))
    with pytest.raises(kind) as error:
        fetch(stock, clock, to)
    assert error.value.final == (kind is Gone) and len(stock.requests) == 1


def test_an_empty_file_is_none(stock: StockServer, clock: FastClock, to: Path) -> None:
    stock.script("/files", reply(200), reply(200), reply(200), reply(200))
    with pytest.raises(Unavailable, match="empty"):
        fetch(stock, clock, to)


def test_a_stop_leaves_nothing(stock: StockServer, clock: FastClock, to: Path) -> None:
    class Stopped(Exception):
        pass

    stock.size = 10_000_000
    calls = 0

    def check_stop() -> None:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise Stopped

    with HttpClient(HOME, clock=clock) as client, pytest.raises(Stopped):
        download(client, f"{stock.url}{FILE}", to, check_stop)
    assert not list(to.parent.iterdir())


def test_a_disk_that_cannot_be_written_ends_the_build(
    stock: StockServer, clock: FastClock, tmp_path: Path
) -> None:
    with pytest.raises(EditmillError, match="cannot be written") as error:
        fetch(stock, clock, tmp_path / "none" / "video.mp4")
    assert not isinstance(error.value, BadInput)
