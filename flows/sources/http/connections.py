"""Connections to public addresses only, and none that drips.

A host is resolved once, its addresses are checked, and the connection goes to the address that was
checked: a name that resolves otherwise a moment later (DNS rebinding) leads nowhere. As each hop of
a redirect opens its connection here, each is checked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from ssl import SSLContext
from typing import Any

import httpcore

from flows.sources.http.addresses import is_public, resolve
from flows.sources.http.errors import PrivateAddress

SocketOption = (
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
)


class Connections(httpcore.NetworkBackend):
    """Opens connections to public hosts and to those in `trusted` (lower case).

    A stream that brings fewer than `least_rate` bytes a second over `window` seconds of reading
    ends as one that timed out, so that a server cannot hold a worker by a byte a second.
    """

    def __init__(
        self,
        trusted: Iterable[str] = (),
        *,
        least_rate: float = 16 << 10,
        window: float = 30.0,
        resolve: Callable[[str, int], list[str]] = resolve,
    ) -> None:
        self._trusted = frozenset(trusted)
        self._least, self._window = least_rate * window, window
        self._resolve = resolve
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        options = list(socket_options or ())
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._allowed(host, port):
            try:
                stream = self._backend.connect_tcp(address, port, timeout, local_address, options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._least, self._window)
        raise failure

    def _allowed(self, host: str, port: int) -> Iterator[str]:
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} has no address ({error})") from None
        if host.lower() in self._trusted:
            return iter(addresses)
        public = [address for address in addresses if is_public(address)]
        if addresses and not public:
            raise PrivateAddress(host)
        return iter(public)


class _Stream(httpcore.NetworkStream):
    """A connection that must bring `least` bytes in each `window` seconds spent reading."""

    def __init__(self, stream: httpcore.NetworkStream, least: float, window: float) -> None:
        self._stream, self._least, self._window = stream, least, window
        self._bytes, self._seconds = 0, 0.0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        started = time.monotonic()
        data = self._stream.read(max_bytes, timeout)
        if self._bytes:  # how long a first byte may take, the time-out says
            self._seconds += time.monotonic() - started
        self._bytes += len(data)
        if self._seconds >= self._window:
            if data and self._bytes < self._least:
                raise httpcore.ReadTimeout(
                    f"{self._bytes} bytes in {self._seconds:.0f} s, too slow"
                )
            self._bytes, self._seconds = 0, 0.0
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._bytes, self._seconds = 0, 0.0  # another request
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _Stream(secured, self._least, self._window)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
