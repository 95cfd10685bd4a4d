"""How a request can fail. Each is BadInput, so that a file that cannot be had becomes a row in
`failures` and the build goes on."""

from __future__ import annotations

import httpx

from catalog.errors import BadInput, one_line


def host_of(url: str) -> str:
    """A link's host, for messages: the rest may hold a signature."""
    try:
        return httpx.URL(url).host or one_line(url)[:100]
    except httpx.InvalidURL:
        return one_line(url)[:100]


class Unavailable(BadInput):
    """Nothing usable was answered, by all tries: another day it may be."""

    def __init__(self, message: str, reason: str = "unreachable") -> None:
        super().__init__(reason, message, final=False)


class NoUsableAnswer(Unavailable):
    """The server did not answer, broke off, or had an error of its own, by all tries."""


class PrivateAddress(BadInput):
    """The host is this machine or lies on a private network, and the user did not name it.

    Not final: to name the host in the recipe mends it.
    """

    def __init__(self, host: str) -> None:
        message = (
            f"{host}: not an address on the public net; if it is yours, name it in the recipe's "
            "`hosts`"
        )
        super().__init__("private_address", message, final=False)


class StatusRefused(BadInput):
    """The server answered with a status that will not pass; `text` is the start of what it said."""

    def __init__(
        self,
        message: str,
        status: int,
        text: str = "",
        reason: str = "refused",
        *,
        final: bool = False,
    ) -> None:
        super().__init__(reason, message, final=final)
        self.status = status
        self.text = text


class Denied(StatusRefused):
    """401 or 403: a key is wrong or a link has expired."""

    def __init__(self, message: str, status: int, text: str = "") -> None:
        super().__init__(message, status, text, "denied")


class Gone(StatusRefused):
    """404 or 410: it is no longer there, for good."""

    def __init__(self, message: str, status: int, text: str = "") -> None:
        super().__init__(message, status, text, "gone", final=True)
