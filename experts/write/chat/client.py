"""Requests by OpenAI's own client, bounded in time and size, every failure explained in one line.

The client tries again what may pass (408, 409, 429, 5xx, broken connections), with back-off and
`Retry-After`. What it leaves open is settled where it sends: a stream that drips or never ends,
errors with status 200, and statuses that another try does not mend.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
import openai

from catalog.errors import EditmillError
from experts.write.chat import documents
from experts.write.chat.server import ChatServer, NoCompletion, RequestRefused

T = TypeVar("T")

PASSING = {408, 409, 425, 429}
"""Statuses below 500 that may pass: time-outs, conflicts, too early, too many requests."""

NOT_PASSING = {501, 505}
"""Statuses from 500 on that say what the server will never do."""

MOST_BYTES = 8 << 20
"""Of an answer: some candidates of one line, with all the thoughts before them, are far below."""

NOT_A_CHAT_SERVER = "check that the address is a chat server's and ends in /v1"


@dataclass
class _Tries:
    """Of one request for `path`: when the first began, and how many there were."""

    path: str
    begun: float
    count: int = 0

    def __str__(self) -> str:
        if self.count < 2:
            return "tried once"
        return f"tried {self.count} times in {time.monotonic() - self.begun:.0f} s"


_tries: ContextVar[_Tries] = ContextVar("tries")


class ChatClient:
    """A server's client, which keeps its connections. It runs in an event loop of its own thread.

    Whoever asks first waits for its `turn`, of which there are `concurrency` for all threads.
    """

    def __init__(self, server: ChatServer, concurrency: int) -> None:
        self.server = server
        self._http = _Bounded(server)
        self._openai = openai.AsyncOpenAI(
            api_key=server.key,
            base_url=str(server.base.copy_with(query=None, fragment=None)),
            default_query=dict(server.base.params),
            max_retries=server.attempts - 1,
            http_client=self._http,
            _enforce_credentials=False,
        )
        self.turn = asyncio.Semaphore(max(1, concurrency))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which is cancelled if the caller is interrupted."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancels what is under way, whoever asked it, and closes the connections."""
        self.run(self._ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _ended(self) -> None:
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._openai.close()

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The JSON object that `path` answers, POSTed `body` if there is one.

        Raises RequestRefused where the server says no, NoCompletion where it gives nothing usable
        in time, EditmillError where it cannot be reached or is none that speaks the protocol.
        """
        tries = _Tries(path, time.monotonic())
        _tries.set(tries)
        options: Any = {}
        if not self.server.key:  # else the client looks for one in the environment
            options["headers"] = {"Authorization": openai.Omit()}
        try:
            if body is None:
                answer = await self._openai.get(path, cast_to=httpx2.Response, options=options)
            else:
                answer = await self._openai.post(
                    path, cast_to=httpx2.Response, body=body, options=options
                )
        except openai.APIStatusError as error:
            raise self._no(error.response, tries) from None
        except openai.APIConnectionError as error:
            raise _broken(self.server, error.__cause__, tries) from None
        return self._document(answer, path)

    def _document(self, answer: httpx2.Response, path: str) -> dict[str, Any]:
        document = documents.parsed(answer.content)
        if isinstance(document, dict):
            return document
        what = documents.kind(document, answer.content)
        known = document is not None or documents.is_page(answer.content)
        raise (EditmillError if known else NoCompletion)(
            f"{self.server.address}{path}: answered {self.server.shown(what)} instead of a JSON "
            f"object; {NOT_A_CHAT_SERVER}"
        )

    def _no(self, answer: httpx2.Response, tries: _Tries) -> EditmillError:
        """The error for a status that is none of success."""
        where = self.server.address + tries.path
        if answer.has_redirect_location:
            there = answer.url.join(answer.headers["location"])
            there = there.copy_with(userinfo=b"", query=None, fragment=None)
            return EditmillError(
                f"{where}: redirects to {self.server.shown(str(there))}; give the address that "
                "this leads to"
            )
        said = self.server.shown(documents.words(documents.parsed(answer.content), answer.content))
        status = 200 if answer.status_code == _UNSAID else answer.status_code
        what = f"answered {status}" + (f": {said}" if said else "")
        if wait := answer.headers.get("retry-after"):
            what += f" (Retry-After: {self.server.shown(wait)})"
        if _passes(status, said):
            return NoCompletion(f"{where}: {what} ({tries}); {_remedy(status)}")
        return RequestRefused(f"{where}: {what}; {_remedy(status)}", status, said)


_UNSAID = 499
"""Stands for the status of an error that came with 200 and does not say which it is."""


class _Bounded(httpx2.AsyncClient):
    """Sends a request and reads the whole answer within the server's bounds. A server on this
    machine is asked without a proxy; redirects are not followed.

    Raises EditmillError where the proxy that the environment names cannot be used.
    """

    def __init__(self, server: ChatServer) -> None:
        self._server = server
        try:
            super().__init__(
                headers={"Accept-Encoding": "identity"},
                timeout=server.timeout,
                trust_env=not server.is_loopback,
                follow_redirects=False,
            )
        except (ImportError, ValueError, httpx2.InvalidURL) as error:
            raise EditmillError(
                f"{server.address}: the proxy in the environment cannot be used ({error}); "
                "mend or unset HTTPS_PROXY, HTTP_PROXY and ALL_PROXY"
            ) from None

    async def send(
        self, request: httpx2.Request, *, stream: bool = False, **options: Any
    ) -> httpx2.Response:
        tries = _tries.get()
        tries.count += 1
        try:
            # A client's own time-outs are per read: a stream that drips on would never meet them.
            async with asyncio.timeout(self._server.timeout):
                answer = await super().send(request, stream=True, **options)
                try:
                    content = await self._read(answer)
                finally:
                    await answer.aclose()
        except TimeoutError:
            self._bear(httpx2.ReadTimeout("too slow", request=request), tries)
        except httpx2.RequestError as fault:
            self._bear(fault, tries)
        return self._marked(answer, content, late=self._late(tries))

    def _bear(self, fault: httpx2.RequestError, tries: _Tries) -> None:
        """Leaves a broken request to the client, which tries again, unless that is in vain."""
        if self._late(tries) or isinstance(fault, httpx2.DecodingError):
            raise _broken(self._server, fault, tries) from None
        raise fault

    def _late(self, tries: _Tries) -> bool:
        return time.monotonic() - tries.begun > self._server.patience

    async def _read(self, answer: httpx2.Response) -> bytes:
        data = bytearray()
        async for block in answer.aiter_bytes():
            data += block
            if len(data) > MOST_BYTES:
                raise EditmillError(
                    f"{self._server.address}: its answer goes beyond {MOST_BYTES >> 20} MiB; "
                    f"{NOT_A_CHAT_SERVER}"
                )
        return bytes(data)

    def _marked(self, answer: httpx2.Response, content: bytes, late: bool) -> httpx2.Response:
        """The answer as the client understands it: an error that comes with 200 has its own
        status, and the header says whether to try again where the status alone would mislead."""
        document = documents.parsed(content)
        status = answer.status_code
        if status < 300 and (code := documents.error_status(document)):
            status = _UNSAID if code == 200 else code
        headers = httpx2.Headers(
            [
                (name, value)
                for name, value in answer.headers.multi_items()
                if name.lower() not in ("content-encoding", "content-length", "transfer-encoding")
            ]
        )
        if status >= 400:
            if late or not _passes(status, documents.words(document, content)):
                headers["x-should-retry"] = "false"
            elif status == 425:
                headers["x-should-retry"] = "true"
        return httpx2.Response(status, headers=headers, content=content, request=answer.request)


def _broken(server: ChatServer, fault: BaseException | None, tries: _Tries) -> EditmillError:
    """The error for a request that came to no whole answer."""
    where = server.address + tries.path
    if isinstance(fault, httpx2.ConnectError):
        return EditmillError(
            f"{where}: cannot be reached ({fault}) ({tries}); check the address and that the "
            "server runs"
        )
    if isinstance(fault, httpx2.DecodingError):
        return EditmillError(
            f"{where}: its answer is not encoded as it says ({fault}); {NOT_A_CHAT_SERVER}"
        )
    if isinstance(fault, httpx2.TimeoutException):
        return NoCompletion(
            f"{where}: gave no whole answer within {server.timeout:g} s ({tries}); look at the "
            "server's load, or allow it a longer timeout"
        )
    return NoCompletion(
        f"{where}: broke the connection off ({type(fault).__name__}) ({tries}); check the address "
        "and the server's log"
    )


def _passes(status: int, said: str) -> bool:
    passes = status in PASSING or (status >= 500 and status not in NOT_PASSING)
    return passes and "insufficient_quota" not in said


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
