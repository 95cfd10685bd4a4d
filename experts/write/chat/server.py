"""Requests to an OpenAI-compatible server: bounded in time and size, tried again where that may
help, and every other answer explained in one line.

Statuses and their treatment are those of OpenAI's own client: 408, 409, 425, 429, 5xx and broken
connections pass, all others are final.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import ipaddress
import itertools
import json
import random
import re
import time
from datetime import UTC, datetime
from typing import Any

import httpx

from catalog.errors import EditmillError

PASSING = {408, 409, 425, 429}
"""Statuses below 500 that may pass: time-outs, conflicts, too early, too many requests."""

NOT_PASSING = {501, 505}
"""Statuses from 500 on that say what the server will never do."""

BACKOFF, LONGEST_BACKOFF = 0.5, 8.0
"""Seconds before the second try, doubled with each further one, up to the longest. A quarter of it
is left to chance, so that conversations sent side by side do not come back side by side."""

LONGEST_RETRY_AFTER = 60.0
"""Seconds of a Retry-After that are waited for; for a longer one the own back-off stands in."""

MOST_BYTES = 8 << 20
"""Of an answer: some candidates of one line, with all the thoughts before them, are far below."""

MOST_QUOTED = 300
"""Characters of the server's own words in an error."""

NOT_A_CHAT_SERVER = "check that the address is a chat server's and ends in /v1"


class Refused(EditmillError):
    """The server refuses this request for good; `status` is HTTP's, `said` its own words."""

    def __init__(self, message: str, status: int, said: str) -> None:
        super().__init__(message)
        self.status = status
        self.said = said


class _Passing(Exception):
    """A fault that another try may find gone: what happened, what to do, seconds to wait first."""

    def __init__(self, what: str, remedy: str, after: float = 0.0) -> None:
        super().__init__(what)
        self.remedy = remedy
        self.after = after


class Server:
    """The server at `base_url` (`http://host:8000/v1`), with its key.

    `timeout` are seconds for a whole answer, `attempts` tries per request, and no further try
    begins `patience` seconds after the first. Raises EditmillError for an address or a key that
    cannot be one. Neither the key nor a password in the address is ever shown.
    """

    def __init__(
        self, base_url: str, key: str, *, timeout: float, attempts: int, patience: float
    ) -> None:
        try:
            self._base = httpx.URL(base_url.strip().rstrip("/"))
        except httpx.InvalidURL as error:
            raise EditmillError(
                f"the chat server's address cannot be read ({error}); give http://host:port/v1"
            ) from None
        self.address = str(self._base.copy_with(userinfo=b"", query=None, fragment=None))
        port = self._base.port
        if self._base.scheme not in ("http", "https") or not self._base.host or (port or 0) > 65535:
            raise EditmillError(
                f"{self.address}: is no chat server's address; give http://host:port/v1"
            )
        self._key = key.strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise EditmillError(
                f"{self.address}: the key holds characters no key has; copy it again"
            )
        self._timeout = timeout
        self._attempts = max(1, attempts)
        self._patience = patience

    def client(self) -> httpx.AsyncClient:
        """A client for `ask`; the caller closes it. Raises EditmillError where the proxy that the
        environment names cannot be used; a server on this machine is asked without one."""
        headers = {"Accept-Encoding": "identity"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            return httpx.AsyncClient(
                headers=headers, timeout=self._timeout, trust_env=not _is_loopback(self._base.host)
            )
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise EditmillError(
                f"{self.address}: the proxy in the environment cannot be used ({error}); "
                "mend or unset HTTPS_PROXY, HTTP_PROXY and ALL_PROXY"
            ) from None

    async def ask(
        self,
        client: httpx.AsyncClient,
        path: str,
        body: dict[str, Any] | None = None,
        attempts: int | None = None,
    ) -> dict[str, Any]:
        """The JSON object that `path` answers, POSTed `body` if there is one.

        Raises Refused where the server says no, EditmillError where nothing usable comes in time.
        """
        begun = time.monotonic()
        for attempt in itertools.count(1):
            try:
                return await self._once(client, path, body)
            except _Passing as fault:
                wait = max(fault.after, _backoff(attempt))
                spent = time.monotonic() - begun
                if attempt >= (attempts or self._attempts) or spent + wait > self._patience:
                    times = "once" if attempt == 1 else f"{attempt} times in {spent:.0f} s"
                    raise EditmillError(
                        f"{self.address}{path}: {fault} (tried {times}); {fault.remedy}"
                    ) from None
            await asyncio.sleep(wait)
        raise AssertionError

    async def _once(
        self, client: httpx.AsyncClient, path: str, body: dict[str, Any] | None
    ) -> dict[str, Any]:
        url = self._base.copy_with(path=self._base.path.rstrip("/") + path)
        try:
            # A client's own time-outs are per read: a stream that drips on would never meet them.
            async with asyncio.timeout(self._timeout):
                method = "GET" if body is None else "POST"
                async with client.stream(method, url, json=body) as answer:
                    data = await self._read(answer, path)
        except (TimeoutError, httpx.TimeoutException):
            raise _Passing(
                f"gave no whole answer within {self._timeout:g} s",
                "look at the server's load, or allow it a longer timeout",
            ) from None
        except httpx.ConnectError as error:
            raise _Passing(
                f"cannot be reached ({error})", "check the address and that the server runs"
            ) from None
        except httpx.DecodingError as error:
            raise EditmillError(
                f"{self.address}{path}: its answer is not encoded as it says ({error}); "
                f"{NOT_A_CHAT_SERVER}"
            ) from None
        except httpx.HTTPError as error:
            raise _Passing(
                f"broke the connection off ({type(error).__name__})",
                "check the address and the server's log",
            ) from None
        return self._document(answer, data, path)

    async def _read(self, answer: httpx.Response, path: str) -> bytes:
        data = bytearray()
        async for block in answer.aiter_bytes():
            data += block
            if len(data) > MOST_BYTES:
                raise EditmillError(
                    f"{self.address}{path}: its answer goes beyond {MOST_BYTES >> 20} MiB; "
                    f"{NOT_A_CHAT_SERVER}"
                )
        return bytes(data)

    def _document(self, answer: httpx.Response, data: bytes, path: str) -> dict[str, Any]:
        document = _parsed(data)
        if answer.status_code >= 400:
            self._refuse(answer.status_code, _words(document, data), path, answer.headers)
        if answer.has_redirect_location:
            there = answer.url.join(answer.headers["location"])
            there = there.copy_with(userinfo=b"", query=None, fragment=None)
            raise EditmillError(
                f"{self.address}{path}: redirects to {self._shown(str(there))}; give the address "
                "that this leads to"
            )
        if not isinstance(document, dict):
            raise EditmillError(
                f"{self.address}{path}: answered {self._shown(_kind(document, data))} instead of "
                f"a JSON object; {NOT_A_CHAT_SERVER}"
            )
        fault = document.get("error")
        if fault or document.get("object") == "error":
            code = (fault if isinstance(fault, dict) else document).get("code")
            status = code if isinstance(code, int) and 400 <= code < 600 else answer.status_code
            self._refuse(status, _words(document, data), path, answer.headers)
        return document

    def _refuse(self, status: int, said: str, path: str, headers: httpx.Headers) -> None:
        said = self._shown(said)
        what = f"answered {status}" + (f": {said}" if said else "")
        passes = status in PASSING or (status >= 500 and status not in NOT_PASSING)
        if passes and "insufficient_quota" not in said:
            raise _Passing(what, _remedy(status), _retry_after(headers))
        raise Refused(f"{self.address}{path}: {what}; {_remedy(status)}", status, said)

    def _shown(self, text: str) -> str:
        """The server's words: never the key, never more than a line's worth."""
        for secret in (self._key, self._base.password):
            if secret:
                text = text.replace(secret, "***")
        text = " ".join(text.split())
        return text if len(text) <= MOST_QUOTED else text[: MOST_QUOTED - 1] + "…"


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _backoff(attempt: int) -> float:
    longest = min(LONGEST_BACKOFF, BACKOFF * 2.0 ** (attempt - 1))
    return longest * random.uniform(0.75, 1)


def _retry_after(headers: httpx.Headers) -> float:
    """Seconds that a Retry-After asks for, 0 where there is none to be followed."""
    asked = headers.get("retry-after", "")
    try:
        seconds = float(asked)
    except ValueError:
        try:
            until = email.utils.parsedate_to_datetime(asked)
        except (ValueError, TypeError):
            return 0.0
        seconds = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return seconds if 0 <= seconds <= LONGEST_RETRY_AFTER else 0.0


def _parsed(data: bytes) -> Any:
    """The JSON in `data`, None where there is none. A server that cuts a text within a character
    sends bytes that are no UTF-8; they cost that character and not the answer."""
    try:
        return json.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None


def _kind(document: Any, data: bytes) -> str:
    if document is not None:
        return f"a {type(document).__name__}"
    if not data.strip():
        return "nothing"
    if _is_page(data):
        title = _title(data)
        return f"a web page ({title})" if title else "a web page"
    return "text that is broken or no JSON"


def _words(document: Any, data: bytes) -> str:
    """What an answer says went wrong, wherever servers put it; its code before it, if it has one"""
    fault = document.get("error", document) if isinstance(document, dict) else document
    if isinstance(fault, dict):
        said = next((fault[k] for k in ("message", "detail", "error", "msg") if fault.get(k)), "")
        code = next((c for c in map(fault.get, ("code", "type")) if isinstance(c, str)), "")
        said = said if isinstance(said, str) else json.dumps(said)
        return ": ".join(part for part in (code, said) if part)
    if fault is not None:
        return fault if isinstance(fault, str) else json.dumps(fault)
    return _title(data) if _is_page(data) else data[: 4 * MOST_QUOTED].decode("utf-8", "replace")


def _is_page(data: bytes) -> bool:
    return data.lstrip()[:1] == b"<"


def _title(data: bytes) -> str:
    found = re.search(rb"<title[^>]*>([^<]*)", data[: 1 << 16], re.IGNORECASE)
    return found[1].decode("utf-8", "replace").strip() if found else ""


def _remedy(status: int) -> str:
    if status in (401, 403):
        return "check the key and what it may use"
    if status == 404:
        return "check the model's name, and that the address ends in /v1"
    if status == 429:
        return "send fewer at once (concurrency), or raise the server's limit"
    if status >= 500:
        return "look at the server's log"
    return "choose a server or model that takes such requests"
