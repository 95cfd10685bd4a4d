"""Where an OpenAI-compatible server is, and how long it is waited for."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Sequence
from typing import Any

import httpx

from catalog.errors import BadInput, EditmillError
from experts.write.chat.documents import MOST_QUOTED


class RequestRefused(EditmillError):
    """The server refuses this request for good; `status` is HTTP's, `said` its own words."""

    def __init__(self, message: str, status: int, said: str) -> None:
        super().__init__(message)
        self.status = status
        self.said = said


class NoCompletion(EditmillError):
    """The server is there and gave no usable answer, however often it was asked: it was too slow or
    too busy, broke off, or answered without a text. Another request may fare better."""


class SomeRefused(BadInput):
    """Of several questions some cannot be taken: the first one's reason. `answers` holds those of
    the others, and a BadInput for each that is refused, in the questions' order."""

    def __init__(self, first: BadInput, answers: Sequence[Any]) -> None:
        super().__init__(first.reason, str(first), final=first.final)
        self.answers = answers


class ChatServer:
    """The server at `base_url` (`http://host:8000/v1`), with its key.

    `timeout` are seconds for a whole answer, `attempts` tries per request, and none is tried again
    `patience` seconds after the first. Raises EditmillError for an address or a key that cannot be
    one. Neither the key nor a password in the address is ever shown.
    """

    def __init__(
        self, base_url: str, key: str, *, timeout: float, attempts: int, patience: float
    ) -> None:
        try:
            self.base = httpx.URL(base_url.strip().rstrip("/"))
        except httpx.InvalidURL as error:
            raise EditmillError(
                f"the chat server's address cannot be read ({error}); give http://host:port/v1"
            ) from None
        self.address = str(self.base.copy_with(userinfo=b"", query=None, fragment=None))
        port = self.base.port
        if self.base.scheme not in ("http", "https") or not self.base.host or (port or 0) > 65535:
            raise EditmillError(
                f"{self.address}: is no chat server's address; give http://host:port/v1"
            )
        self.key = key.strip()
        if not (self.key.isascii() and self.key.isprintable()):
            raise EditmillError(
                f"{self.address}: the key holds characters no key has; copy it again"
            )
        self.timeout = timeout
        self.attempts = max(1, attempts)
        self.patience = patience

    @property
    def is_loopback(self) -> bool:
        """Whether it runs on this machine, where no proxy reaches it."""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.base.host).is_loopback
        return self.base.host == "localhost"

    def shown(self, text: str) -> str:
        """The server's words: never the key, never more than a line's worth."""
        for secret in (self.key, self.base.password):
            if secret:
                text = text.replace(secret, "***")
        text = " ".join(text.split())
        return text if len(text) <= MOST_QUOTED else text[: MOST_QUOTED - 1] + "…"
