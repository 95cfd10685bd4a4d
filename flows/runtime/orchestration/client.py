"""Prefect's clients, made to wait for a server that goes away in the middle of a build.

Prefect's own retries end a flow with a trace after some minutes and say nothing until then. Here a
request is sent again with back-off while the server is away; one line says so, and if it stays
away, one line ends the build. Threads of Prefect's that belong to no build don't wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import httpx
from prefect.client import orchestration
from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient
from prefect.events.clients import NullEventsClient
from prefect.events.worker import EventsWorker
from prefect.exceptions import PrefectHTTPStatusError

from catalog.errors import EditmillError
from flows.runtime.context import Stopped
from flows.runtime.orchestration.settings import is_loopback

if TYPE_CHECKING:
    from flows.runtime.orchestration.server import Embedded

T = TypeVar("T")

PATIENCE = 300.0
"""Seconds a lost server is waited for: a restart, an upgrade with its migration or a broken network
is over by then, and what is computed meanwhile is kept either way."""

LONGEST_PAUSE = 15.0
"""Seconds between two tries at most; they begin at one and double."""

REQUEST_SECONDS = 30.0
"""Seconds a server may take to answer a request: a busy one with SQLite takes some."""

REQUEST_SECONDS_AWAY = 10.0
"""The same of one that did not answer the request before: it may hang, and a build that shall stop
meanwhile waits for no more than this."""

NOT_READY = (408, 429)
"""HTTP states, besides its own errors from 500 on, of a server that is there but not ready."""


DELIVERY_SECONDS = 10.0
"""How long the last events of a build may take to a server."""

ANSWER_SECONDS = 10.0
"""How long a user's server may take to answer at first."""


class ServerLost(EditmillError):
    """The Prefect server went away and did not come back."""


class Connection:
    """A build's connection to its Prefect server; shared by the build's threads.

    `stop` is set when the build shall stop, `tell` gets a line for the user; `embedded` is the
    server where it is ours.
    """

    def __init__(
        self,
        url: str,
        stop: threading.Event,
        tell: Callable[[str], None],
        embedded: Embedded | None = None,
    ) -> None:
        self.url = url
        self.embedded = embedded
        self.lost: ServerLost | None = None  # set once and for all
        self._stop, self.tell = stop, tell
        self._lock = threading.Lock()
        self._failures = 0  # in a row
        self._since = 0.0  # the first of them
        self._told = False

    def pause_after(self, error: httpx.TransportError | PrefectHTTPStatusError) -> float:
        """Seconds to wait before the request is sent again.

        Raises ServerLost when there is no hope, Stopped when the build shall stop, and `error`
        where another try would not help.
        """
        if isinstance(error, PrefectHTTPStatusError):
            status = error.response.status_code
            if status < 500 and status not in NOT_READY:
                raise error
        with self._lock:
            now = monotonic()
            self._failures += 1
            if self._failures == 1:
                self._since = now
            if self.lost is None and (why := self._hopeless(now)):
                self.lost = ServerLost(f"{why}; all finished work is kept: run it again")
            if self.lost is not None:
                self._stop.set()
                raise self.lost
            if self._stop.is_set():
                raise Stopped
            if not self._told and now - self._since >= 1:  # sooner, a connection was reset
                self._told = True
                self.tell(
                    f"The Prefect server at {self.url} does not answer; "
                    f"waiting up to {PATIENCE / 60:.0f} minutes for it."
                )
            return min(2.0 ** (self._failures - 1), LONGEST_PAUSE)

    def prepare(self, request: httpx.Request) -> None:
        """Bounds how long the request waits for its answer. Raises what :meth:`pause_after` does
        where it would only wait in vain: as a flow ends, Prefect sends several more."""
        with self._lock:
            if self.lost is not None:
                raise self.lost
            if self._failures and self._stop.is_set():
                raise Stopped
            seconds = REQUEST_SECONDS_AWAY if self._failures else REQUEST_SECONDS
        request.extensions["timeout"] = httpx.Timeout(seconds).as_dict()

    def answered(self) -> None:
        """The server is there."""
        if self._failures:
            with self._lock:
                if self._told:
                    self.tell("The Prefect server answers again.")
                self._failures, self._told = 0, False

    def wait(self, seconds: float) -> None:
        """Waits, or less if the build shall stop."""
        self._stop.wait(seconds)

    def _hopeless(self, now: float) -> str:
        if self.embedded is not None and self.embedded.dead:
            return f"Prefect's embedded server is gone: {self.embedded.dead}"
        if now - self._since > PATIENCE:
            return f"the Prefect server at {self.url} was away for {PATIENCE / 60:.0f} minutes"
        return ""


_connection: ContextVar[Connection | None] = ContextVar("connection", default=None)


@contextmanager
def using(connection: Connection) -> Iterator[None]:
    """Requests of this context, and of threads that Prefect starts from it, are `connection`'s."""
    # Events tell a server's page what the tasks do; nobody sees that of the embedded one.
    EventsWorker.set_client_override(NullEventsClient if connection.embedded else None)
    token = _connection.set(connection)
    try:
        yield
    finally:
        _connection.reset(token)
        _deliver_events(0 if connection.lost else DELIVERY_SECONDS)


def at_once(call: Callable[[], T]) -> T:
    """What `call` returns. Its requests fail where the server is away, instead of waiting for it:
    for what a build can do without."""
    context = copy_context()
    context.run(_connection.set, None)
    return context.run(call)


def _deliver_events(seconds: float) -> None:
    """Lets Prefect send what it has yet to send, and not for minutes at exit if nobody answers."""
    senders = [(worker._loop, worker._task) for worker in EventsWorker._instances.values()]  # type: ignore[misc]
    # In a thread of its own: within an event loop, as in a notebook, Prefect leaves the waiting to
    # the caller.
    with ThreadPoolExecutor(1) as aside:
        ended = aside.submit(EventsWorker.drain_all, timeout=seconds).result()
    if isinstance(ended, tuple) and ended[1]:
        for loop, task in senders:
            if loop is not None and task is not None:
                loop.call_soon_threadsafe(task.cancel)


def check(url: str, otherwise: str = "or leave out --server", patience: float = 0) -> None:
    """Raises EditmillError, in seconds, where no Prefect server answers at `url` or it refuses.

    `otherwise` is what else the user may do than start it. For `patience` seconds a server that
    does not listen is tried again.
    """
    until, pause = monotonic() + patience, 0.5
    while True:
        try:
            return _ask(url, otherwise)
        except _NotListening:
            if monotonic() + pause > until:
                raise
        sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


class _NotListening(EditmillError):
    """No connection could be made."""


def _ask(url: str, otherwise: str) -> None:
    settings = {"timeout": httpx.Timeout(ANSWER_SECONDS)}
    try:
        with orchestration.get_client(httpx_settings=settings, sync_client=True) as client:
            client.read_flows(limit=1)
    except Exception as error:
        response = getattr(error, "response", None)
        if response is not None and response.status_code in (401, 403):
            raise EditmillError(
                f"the Prefect server at {url} refuses us ({response.status_code}); set "
                "PREFECT_API_KEY, or PREFECT_API_AUTH_STRING"
            ) from None
        why = f"{response.status_code}" if response is not None else str(error)
        kind = _NotListening if isinstance(error, httpx.ConnectError) else EditmillError
        raise kind(
            f"no Prefect server answers at {url} ({why or type(error).__name__}); start it "
            f"(prefect server start) {otherwise}"
        ) from None


def _trusting(settings: dict[str, Any]) -> dict[str, Any]:
    """Proxies, also those that httpx does not know, are not asked about this machine itself."""
    if is_loopback(str(settings.get("base_url", ""))):
        settings["trust_env"] = False
    return settings


class _SyncClient(PrefectHttpxSyncClient):
    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **_trusting(settings))

    def send(self, request: httpx.Request, *args: Any, **kwargs: Any) -> httpx.Response:
        connection = _connection.get()
        if connection is None:
            return super().send(request, *args, **kwargs)
        while True:
            connection.prepare(request)
            try:
                answer = super().send(request, *args, **kwargs)
            except (httpx.TransportError, PrefectHTTPStatusError) as error:
                connection.wait(connection.pause_after(error))
            else:
                connection.answered()
                return answer


class _AsyncClient(PrefectHttpxAsyncClient):
    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **_trusting(settings))

    async def send(self, request: httpx.Request, *args: Any, **kwargs: Any) -> httpx.Response:
        connection = _connection.get()
        if connection is None:
            return await super().send(request, *args, **kwargs)
        while True:
            connection.prepare(request)
            try:
                answer = await super().send(request, *args, **kwargs)
            except (httpx.TransportError, PrefectHTTPStatusError) as error:
                await anyio.to_thread.run_sync(connection.wait, connection.pause_after(error))
            else:
                connection.answered()
                return answer


orchestration.PrefectHttpxSyncClient = _SyncClient  # type: ignore[misc]
orchestration.PrefectHttpxAsyncClient = _AsyncClient  # type: ignore[misc]
