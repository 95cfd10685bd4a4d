"""Requests are tried again and wait as they are told; private addresses are refused."""

from __future__ import annotations

import json
import logging
import threading
from email.utils import formatdate

import httpx
import pytest
from pydantic import SecretStr

from catalog.errors import BadInput
from flows.sources.http import (
    Credential,
    Denied,
    Gone,
    HttpClient,
    Patience,
    PrivateAddress,
    StatusRefused,
    Unavailable,
)
from flows.sources.http.addresses import is_public, resolve
from flows.sources.http.connections import Connections
from flows.sources.http.transport import Transport
from flows.sources.http.waiting import wait
from tests.flows.sources.stock_server import FastClock, StockServer, cut, reply

HOME = ("127.0.0.1", "localhost")
GOOD = {"Content-Type": "application/json"}


def go() -> None:
    """No stop."""


def ok(**document: object) -> object:
    return reply(200, GOOD, json.dumps(document).encode())


def client(clock: FastClock, **more: object) -> HttpClient:
    return HttpClient(HOME, clock=clock, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529])
def test_what_passes_is_tried_again_with_growing_pauses(
    stock: StockServer, clock: FastClock, status: int
) -> None:
    stock.script("/a", reply(status), reply(status), reply(status), ok(fine=1))
    with client(clock) as http:
        assert http.get_json(f"{stock.url}/a", {"q": "x y"}, go) == {"fine": 1}
    assert stock.requests == ["/a?q=x+y"] * 4 or stock.requests == ["/a?q=x%20y"] * 4
    assert sum(clock.waits) == 1 + 2 + 4


@pytest.mark.parametrize(("status", "kind"), [(400, StatusRefused), (401, Denied), (403, Denied),
    (404, Gone), (410, Gone), (451, StatusRefused), (300, StatusRefused)])  # fmt: skip
def test_what_does_not_pass_is_asked_once(
    stock: StockServer, clock: FastClock, status: int, kind: type[StatusRefused]
) -> None:
    stock.script("/a", reply(status, {}, b"for some\nreason"))
    with (
        client(clock) as http,
        pytest.raises(kind, match=rf"{status} \(for some reason\)") as error,
    ):
        http.get_json(f"{stock.url}/a", {}, go)
    assert error.value.final == (kind is Gone)
    assert len(stock.requests) == 1 and not clock.waits


def test_gives_up_after_the_last_try(stock: StockServer, clock: FastClock) -> None:
    stock.script("/a", *[reply(503)] * 10)
    with (
        client(clock, patience=Patience(attempts=3)) as http,
        pytest.raises(Unavailable, match=r"3 tries, the last: status 503") as error,
    ):
        http.get_json(f"{stock.url}/a", {}, go)
    assert len(stock.requests) == 3 and sum(clock.waits) == 1 + 2 and not error.value.final


def test_a_body_cut_short_and_one_that_is_no_json_are_asked_again(
    stock: StockServer, clock: FastClock
) -> None:
    page = reply(200, {"Content-Type": "text/html"}, b"<html>log in</html>")
    chunks = {"Transfer-Encoding": "chunked"}
    stock.script("/files", cut(10), cut(5, chunks), page, reply(200, GOOD, b"[1]"), ok(fine=1))
    with client(clock) as http:
        assert http.get_json(f"{stock.url}/files/1/a.mp4", {}, go) == {"fine": 1}
    assert len(stock.requests) == 5


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_wait_is_as_long_as_asked_though_the_time_of_day_is_set_meanwhile(jump: float) -> None:
    class SetClock(FastClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.waits) == 3:
                self.time += jump

    clock = SetClock()
    wait(10.2, clock, lambda: None)
    assert sum(clock.waits) == pytest.approx(10.2)


def test_a_server_that_is_not_there(clock: FastClock) -> None:
    with client(clock, patience=Patience(attempts=2)) as http, pytest.raises(Unavailable):
        http.get_json("http://127.0.0.1:9/", {}, go)


@pytest.mark.parametrize("dated", [False, True])
def test_retry_after_is_kept_to_the_second(
    stock: StockServer, clock: FastClock, dated: bool
) -> None:
    stock.now = lambda: clock.time + 7000  # the server's clock is wrong, its date says so
    value = formatdate(clock.time + 7000 + 77, usegmt=True) if dated else "77"
    stock.script("/a", reply(429, {"Retry-After": value}), ok())
    with client(clock) as http:
        http.get_json(f"{stock.url}/a", {}, go)
    assert sum(clock.waits) == pytest.approx(77, abs=1e-3)


@pytest.mark.parametrize("epoch", [False, True])
def test_the_limit_is_kept_to_the_second(stock: StockServer, clock: FastClock, epoch: bool) -> None:
    stock.now = lambda: clock.time + 7000  # the server's clock is wrong, its date says so
    reset = str(int(clock.time) + 7000 + 90) if epoch else "90"
    used_up = {**GOOD, "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": reset}
    left = {**used_up, "X-Ratelimit-Remaining": "1"}
    stock.script("/a", reply(200, left, b"{}"), reply(200, used_up, b"{}"))
    stock.script("/b", reply(429, used_up), ok())
    with client(clock) as http:
        http.get_json(f"{stock.url}/a", {}, go)
        http.get_json(f"{stock.url}/a", {}, go)
        assert not clock.waits  # one remained, so the second was asked at once
        http.get_json(f"{stock.url}/b", {}, go)
    # Once for what was used up, once more for the 429; its reset as a time has passed by then.
    assert sum(clock.waits) == pytest.approx(91 if epoch else 180, abs=1e-3)


def test_a_wait_beyond_the_bound_asks_nothing_more(stock: StockServer, clock: FastClock) -> None:
    stock.script("/a", reply(429, {"Retry-After": "901"}))
    with client(clock) as http:
        for _ in range(2):
            with pytest.raises(Unavailable, match="no more requests until 2027-01-15 08:15:01 UTC"):
                http.get_json(f"{stock.url}/a", {}, go)
    assert len(stock.requests) == 1 and not clock.waits


def test_one_hosts_limit_is_not_anothers(stock: StockServer, clock: FastClock) -> None:
    used_up = {**GOOD, "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "60"}
    stock.script("/a", reply(200, used_up, b"{}"), ok(), ok())
    with client(clock) as http:
        http.get_json(f"{stock.url}/a", {}, go)
        http.get_json(f"{stock.url.replace('127.0.0.1', 'localhost')}/a", {}, go)
        assert not clock.waits
        http.get_json(f"{stock.url}/a", {}, go)
    assert sum(clock.waits) == pytest.approx(60, abs=1e-3)


def test_a_stop_ends_the_wait(stock: StockServer, clock: FastClock) -> None:
    class Stopped(Exception):
        pass

    def check_stop() -> None:
        if sum(clock.waits) >= 5:
            raise Stopped

    stock.script("/a", reply(429, {"Retry-After": "600"}))
    with client(clock) as http, pytest.raises(Stopped):
        http.get_json(f"{stock.url}/a", {}, check_stop)
    assert sum(clock.waits) < 6


def test_a_server_that_drips_ends_as_one_that_timed_out(
    stock: StockServer, clock: FastClock
) -> None:
    done = threading.Event()

    def drip(handler: object) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")  # type: ignore[attr-defined]
        while not done.wait(0.02):
            handler.wfile.write(b"x")  # type: ignore[attr-defined]

    stock.script("/a", drip, ok(fine=1))
    slow = Transport(HOME, connections=Connections(HOME, least_rate=1000, window=0.3))
    with client(clock, transport=slow) as http:
        assert http.get_json(f"{stock.url}/a", {}, go) == {"fine": 1}
    done.set()


def test_a_server_that_is_silent(stock: StockServer, clock: FastClock) -> None:
    done = threading.Event()
    stock.script("/a", lambda handler: done.wait(5) and None, ok(fine=1))
    with client(clock, patience=Patience(read=0.1)) as http:
        assert http.get_json(f"{stock.url}/a", {}, go) == {"fine": 1}
    done.set()


# Addresses


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.9.9", "169.254.169.254", "100.64.0.1",
     "0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1",
     "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
     "192.0.2.1", "fe80::1%eth0"],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("where", ["http://127.0.0.1:1/x", "http://localhost:1/", "http://[::1]:1/",
                                   "http://2130706433:1/", "http://0x7f.1:1/"])  # fmt: skip
def test_a_redirect_to_a_private_address_is_refused(
    stock: StockServer, clock: FastClock, where: str
) -> None:
    """The first host is named by the user; where it leads is not."""
    stock.script("/a", reply(302, {"Location": where}))
    names = {"stock.example": ["127.0.0.1"]}
    connections = Connections(
        {"stock.example"}, resolve=lambda host, port: names.get(host) or resolve(host, port)
    )
    http = HttpClient(clock=clock, transport=Transport((), connections=connections))
    with http, pytest.raises(PrivateAddress, match="hosts") as error:
        http.get_json(f"http://stock.example:{httpx.URL(stock.url).port}/a", {}, go)
    assert not error.value.final and len(stock.requests) == 1 and not clock.waits


def test_a_name_that_resolves_otherwise_a_moment_later(clock: FastClock) -> None:
    """The connection goes to the address that was checked: the name is resolved once."""
    answers = [["203.0.113.1"], ["127.0.0.1"]]
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    connections = Connections(resolve=resolve)
    http = HttpClient(clock=clock, transport=Transport((), connections=connections))
    with http, pytest.raises(PrivateAddress):  # 203.0.113.0/24 is for documentation, not public
        http.get_json("http://rebinding.example/", {}, go)
    assert asked == ["rebinding.example"]


def test_the_connection_goes_to_the_address_that_was_checked(
    stock: StockServer, clock: FastClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpcore

    opened: list[str] = []
    connect = httpcore.SyncBackend.connect_tcp

    def to_the_server(self: object, host: str, port: int, *rest: object) -> object:
        opened.append(host)
        return connect(self, "127.0.0.1", httpx.URL(stock.url).port, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", to_the_server)
    stock.script("/", ok(fine=1))
    connections = Connections(resolve=lambda host, port: ["10.0.0.1", "93.184.216.34"])
    http = HttpClient(clock=clock, transport=Transport((), connections=connections))
    with http:
        assert http.get_json("http://two.example/", {}, go) == {"fine": 1}
    assert opened == ["93.184.216.34"]
    assert stock.headers[0]["host"] == "two.example"


@pytest.mark.parametrize("where", ["ftp://files.example/", "file:///etc/passwd"])
def test_other_schemes_are_refused(stock: StockServer, clock: FastClock, where: str) -> None:
    stock.script("/a", reply(302, {"Location": where}))
    for url in (f"{stock.url}/a", where):
        with client(clock) as http, pytest.raises(BadInput, match="http"):
            http.get_json(url, {}, go)


def test_redirects_without_an_end(stock: StockServer, clock: FastClock) -> None:
    stock.script("/a", *[reply(302, {"Location": "/a"})] * 30)
    with client(clock) as http, pytest.raises(Unavailable, match="without an end"):
        http.get_json(f"{stock.url}/a", {}, go)


def test_through_a_proxy_addresses_written_out_are_checked(
    stock: StockServer, clock: FastClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", stock.url)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    stock.script("http://far.example/", ok(fine=1))
    with HttpClient(clock=clock) as http:
        assert http.get_json("http://far.example/", {}, go) == {"fine": 1}
        with pytest.raises(PrivateAddress):
            http.get_json("http://169.254.169.254/latest/", {}, go)
    assert stock.requests == ["http://far.example/"]


# Keys


@pytest.mark.parametrize("place", ["header", "query"])
def test_a_key_is_sent_to_its_own_origin_and_seen_nowhere(
    stock: StockServer, clock: FastClock, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "httpcore")  # which logs what servers send; this one the key
    key = "k&e/y 1"
    credential = Credential(stock.url, place, "key", SecretStr(key))  # type: ignore[arg-type]
    elsewhere = stock.url.replace("127.0.0.1", "localhost")
    echo = f"{elsewhere}/b?key=k%26e%2Fy+1"
    stock.script("/a", reply(302, {"Location": echo}), reply(400, {}, f"bad {key}".encode()))
    stock.script("/b", ok())
    with client(clock, credential=credential) as http:
        http.get_json(f"{stock.url}/a", {}, go)
        with pytest.raises(StatusRefused) as error:
            http.get_json(f"{stock.url}/a", {}, go)
    sent = [f"{r} {h.get('key')}" for r, h in zip(stock.requests, stock.headers, strict=True)]
    assert [("k&e/y 1" in each or "k%26e" in each) for each in sent] == [True, False, True]
    shown = f"{caplog.text} {error.value!r} {error.value} {credential!r} {http!r}"
    assert "HTTP Request" in shown and "k&e" not in shown and "k%26e" not in shown
