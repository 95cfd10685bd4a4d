"""What lies below httpx: checked connections, proxies, and the key that a request is sent with.

A key is added here, below httpx' client, and only to requests to its own origin: it is in no URL
that httpx logs, in no exception, and never sent where a redirect leads.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, quote_plus, urlsplit

import httpx
from pydantic import SecretStr

from catalog.errors import EditmillError
from flows.sources.http.addresses import is_public
from flows.sources.http.errors import PrivateAddress

if TYPE_CHECKING:
    from flows.sources.http.connections import Connections


@dataclass(frozen=True, slots=True)
class Credential:
    """A key, and where requests to one origin carry it: in a header or in the query."""

    origin: str  # any URL there: scheme, host and port count
    place: Literal["header", "query"]
    name: str  # `Authorization`, `key`
    value: SecretStr

    def signed(self, request: httpx.Request) -> httpx.Request:
        """The request with the key, where it is to the key's origin."""
        if _origin(request.url) != _origin(httpx.URL(self.origin)):
            return request
        headers, url = request.headers.copy(), request.url
        if self.place == "header":
            headers[self.name] = self.value.get_secret_value()
        else:
            url = url.copy_set_param(self.name, self.value.get_secret_value())
        return httpx.Request(
            request.method,
            url,
            headers=headers,
            stream=request.stream,
            extensions=request.extensions,
        )

    def redacted(self, text: str) -> str:
        """The text without the key, should a server repeat it."""
        key = self.value.get_secret_value()
        for form in {key, quote(key), quote(key, safe=""), quote_plus(key)}:
            text = text.replace(form, "***")
        return text


class Transport(httpx.BaseTransport):
    """Sends requests: through the proxy that the environment names for a host, else directly.

    A proxy resolves names itself, so that through one only addresses written out are checked.
    """

    def __init__(
        self,
        trusted: Collection[str],
        credential: Credential | None = None,
        connections: Connections | None = None,
    ) -> None:
        self._trusted = frozenset(host.lower() for host in trusted)
        self._credential = credential
        self._connections = connections  # given by a test
        self._transports: dict[str | None, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        proxy = _proxy(request.url)
        if proxy is not None:
            self._check(request.url.host)
        if proxy not in self._transports:
            self._transports[proxy] = self._transport(proxy)
        signed = self._credential.signed(request) if self._credential else request
        response = self._transports[proxy].handle_request(signed)
        if self._credential and "location" in response.headers:
            location = response.headers["location"]
            response.headers["location"] = self._credential.redacted(location)
        return response

    def close(self) -> None:
        for transport in self._transports.values():
            transport.close()

    def _check(self, host: str) -> None:
        try:
            public = is_public(host)
        except ValueError:  # a name
            public = host != "localhost"
        if not public and host.lower() not in self._trusted:
            raise PrivateAddress(host)

    def _transport(self, proxy: str | None) -> httpx.HTTPTransport:
        try:
            transport = httpx.HTTPTransport(proxy=proxy)
        except (ImportError, ValueError, OSError) as error:  # SOCKS; a scheme; no such certificate
            raise EditmillError(
                f"the variables for proxies or certificates are of no use ({error}); correct them"
            ) from None
        from flows.sources.http.connections import Connections  # httpcore takes a tenth of a second

        named = {urlsplit(proxy).hostname or ""} if proxy else set()
        connections = self._connections or Connections({*self._trusted, *named})
        # httpx has no argument for what opens connections; httpcore, below it, has.
        transport._pool._network_backend = connections
        return transport


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _proxy(url: httpx.URL) -> str | None:
    proxies = urllib.request.getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(url.host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
