"""Requests that are tried again, and that wait as long as a server asks for."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import httpx

from catalog.errors import BadInput, one_line
from flows.sources.http.errors import (
    Denied,
    Gone,
    NoUsableAnswer,
    StatusRefused,
    Unavailable,
    host_of,
)
from flows.sources.http.transport import Credential, Transport
from flows.sources.http.waiting import SYSTEM, Clock, clock_time, retry_after, until_reset, wait

AGAIN = frozenset([408, 425, 429, *range(500, 600)])
"""HTTP states that pass: too slow, too early, too many, and the server's own errors."""

MOST_JSON = 16 << 20
"""Bytes of an answer of an API; a page of 200 videos is some 200 kB."""

MOST_TEXT = 300
"""Characters of an error's text that are shown."""


def _user_agent() -> str:
    try:
        return f"editmill/{version('editmill')}"
    except PackageNotFoundError:  # run from a checkout
        return "editmill"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request is tried. Seconds."""

    attempts: int = 6
    first_pause: float = 1.0  # doubles with each further try
    longest_pause: float = 30.0
    longest_wait: float = 900.0  # that a server may ask for; longer, and nothing more is asked
    connect: float = 15.0
    read: float = 30.0  # without any byte; see Connections.least_rate for few

    def pause(self, attempt: int, clock: Clock) -> float:
        """Seconds before try number `attempt` + 1: exponential, with jitter."""
        return min(self.first_pause * 2 ** (attempt - 1), self.longest_pause) * clock.jitter()


class HttpClient:
    """An HTTP client for one purpose; safe under threads. Close it, or use it as a context.

    `trusted` are the hosts that the user named, which may lie on a private network.
    """

    def __init__(
        self,
        trusted: Collection[str] = (),
        credential: Credential | None = None,
        *,
        patience: Patience | None = None,
        clock: Clock = SYSTEM,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.patience = patience or Patience()
        self.clock = clock
        self._credential = credential
        self._free_at: dict[str, float] = {}  # UNIX time before which a host allows no request
        times = httpx.Timeout(self.patience.read, connect=self.patience.connect)
        self._http = httpx.Client(
            transport=transport or Transport(trusted, credential),
            timeout=times,
            follow_redirects=True,
            max_redirects=10,
            headers={"User-Agent": _user_agent()},
        )

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get_json(
        self, url: str, params: Mapping[str, str | int], check_stop: Callable[[], None]
    ) -> dict[str, Any]:
        """The JSON object that an API answers.

        Raises Unavailable after all tries, or where it asks for a longer wait than
        `patience.longest_wait`; StatusRefused for a status that will not pass.
        """
        full = str(httpx.URL(url, params=dict(params)))
        found: dict[str, Any] = {}

        def once() -> None:
            with self.open(full, check_stop) as response:
                body = bytearray()
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > MOST_JSON:
                        raise Unavailable(f"{host_of(full)}: answered more than {MOST_JSON} bytes")
            try:
                found.update(json.loads(body))
            except (ValueError, TypeError, RecursionError):
                raise _Again("the answer is no JSON object", None) from None

        self.trying(full, once, check_stop)
        return found

    def trying(self, url: str, once: Callable[[], None], check_stop: Callable[[], None]) -> None:
        """Do something with :meth:`open` until it succeeds: what a broken connection (any
        httpx.HTTPError) or a server's own error ended is tried again, with back-off and jitter.

        Raises NoUsableAnswer once all tries are used up.
        """
        for attempt in range(1, self.patience.attempts + 1):
            try:
                return once()
            except _Again as error:
                why, asked = error.why, error.wait
            except (httpx.UnsupportedProtocol, httpx.InvalidURL):
                raise BadInput(
                    "invalid_url", f"{host_of(url)}: no http or https link, or it leads to none"
                ) from None
            except httpx.TooManyRedirects:
                raise Unavailable(f"{host_of(url)}: redirects without an end") from None
            except (httpx.HTTPError, httpx.StreamError) as error:
                why, asked = one_line(str(error)) or type(error).__name__, None
            if attempt < self.patience.attempts:
                self._wait(url, asked or self.patience.pause(attempt, self.clock), check_stop)
        raise NoUsableAnswer(
            f"{host_of(url)}: no usable answer in {self.patience.attempts} tries, the last: "
            f"{self._redacted(why)}; the next build asks again"
        )

    @contextmanager
    def open(
        self, url: str, check_stop: Callable[[], None], headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """A response whose body is still to be read; one request, and its redirects.

        For :meth:`trying`, which also handles what this raises. Raises StatusRefused for a status
        that will not pass.
        """
        host = host_of(url)
        if (left := self._free_at.get(host, 0.0) - self.clock.now()) > 0:
            self._wait(url, left, check_stop)
        check_stop()
        with self._http.stream("GET", url, headers=dict(headers or {})) as response:
            now = self.clock.now()
            limited = until_reset(response.headers, now)
            if limited is not None:
                self._free_at[host] = now + limited
            if response.status_code in AGAIN:
                asked = retry_after(response.headers, now)
                raise _Again(f"status {response.status_code}", limited if asked is None else asked)
            if response.status_code >= 300:
                raise self._refusal(url, response)
            yield response

    def _wait(self, url: str, seconds: float, check_stop: Callable[[], None]) -> None:
        if seconds > self.patience.longest_wait:
            until = clock_time(self.clock.now() + seconds)
            self._free_at[host_of(url)] = self.clock.now() + seconds
            raise Unavailable(
                f"{host_of(url)}: takes no more requests until {until}; a later build goes on "
                "from here",
                "rate_limited",
            )
        wait(seconds, self.clock, check_stop)

    def _refusal(self, url: str, response: httpx.Response) -> StatusRefused:
        text = ""
        for piece in response.iter_text():
            text += piece
            if len(text) >= 2 * MOST_TEXT:  # more than is shown: a key may be cut at the end
                break
        text = self._redacted(one_line(text))[:MOST_TEXT]
        status = response.status_code
        said = f" ({text})" if text and not text.startswith("<") else ""
        message = f"{host_of(url)}: answered {status}{said}"
        if status in (401, 403):
            return Denied(message, status, text)
        if status in (404, 410):
            return Gone(f"{message}; it is no longer there", status, text)
        return StatusRefused(message, status, text)

    def _redacted(self, text: str) -> str:
        return self._credential.redacted(text) if self._credential else text


class _Again(Exception):
    """A status that passes; `wait` are the seconds that the server asks for, if it does."""

    def __init__(self, why: str, wait: float | None) -> None:
        super().__init__(why)
        self.why, self.wait = why, wait
