"""A file streamed from a link: bounded, whole or not at all, continued where it broke off.

A broken connection is taken up by a range request with `If-Range`, so that bytes of two versions of
a file never end up in one. The end of a body is told by its length or its last chunk; a body that
just ends when the connection does could have been cut, and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from catalog.errors import BadInput
from catalog.storage.files import replacing
from flows.sources.http.client import HttpClient
from flows.sources.http.errors import StatusRefused, Unavailable, host_of
from flows.sources.http.kinds import HEAD, no_video

MOST_BYTES = 2 << 30
"""Bytes of a file that is footage: five minutes of 4K as stock sites have it (50 Mbit/s)."""

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


def download(
    client: HttpClient,
    url: str,
    to: Path,
    check_stop: Callable[[], None],
    *,
    most_bytes: int = MOST_BYTES,
) -> None:
    """Write what lies at `url` to `to`, atomically; `check_stop` is called between pieces.

    Raises BadInput: final for what is gone, too large or no video by its first bytes, else with
    `final=False` (see flows.sources.http.errors). Raises EditmillError where `to` cannot be
    written.
    """
    with replacing(to) as part, part.open("w+b") as file:
        state = _Download(client, url, file, check_stop, most_bytes)
        client.trying(url, state.attempt, check_stop)


@dataclass(slots=True)
class _Download:
    client: HttpClient
    url: str
    file: BinaryIO
    check_stop: Callable[[], None]
    most: int
    done: int = 0  # bytes of the file that are written
    total: int | None = None
    validator: str = ""  # names the version of the file that `done` bytes are of
    looked: bool = False  # at the first bytes

    def attempt(self) -> None:
        """One request, for what is still missing. Raises httpx.HTTPError where it breaks off."""
        headers = {"Accept-Encoding": "identity"}  # ranges of a recoded body mean nothing
        if self.done and self.validator:
            headers |= {"Range": f"bytes={self.done}-", "If-Range": self.validator}
        try:
            with self.client.open(self.url, self.check_stop, headers) as response:
                self._begin(response)
                for piece in response.iter_raw():
                    self._write(piece, response)
                    self.check_stop()
                self._finish(response)
        except httpx.HTTPError:
            if not self.validator:
                self.done = 0
            raise
        except StatusRefused as error:
            if error.status != 416 or not self.done:
                raise
            self.done = 0
            raise httpx.RemoteProtocolError("it has no such range any more") from None

    def _begin(self, response: httpx.Response) -> None:
        if self._continues(response):
            return
        self.file.seek(0)
        self.file.truncate()
        self.done, self.looked = 0, False
        self.validator = _validator(response.headers)
        self.total = _length(response.headers)
        if self.total is not None and self.total > self.most:
            raise _too_large(self.url, self.most)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise Unavailable(
                f"{host_of(self.url)}: sends the file compressed, though not asked to"
            )
        if self.total is None and "chunked" not in response.headers.get("transfer-encoding", ""):
            raise Unavailable(
                f"{host_of(self.url)}: gives no length, so that a cut could not be noticed"
            )

    def _continues(self, response: httpx.Response) -> bool:
        """Whether the answer is the rest of what is written already."""
        if response.status_code != 206:
            return False
        found = _RANGE.fullmatch(response.headers.get("content-range", ""))
        total = int(found[3]) if found and found[3] != "*" else None
        if (
            found is not None
            and int(found[1]) == self.done > 0
            and (self.total if total is None else self.total in (None, total))
            and (total is None or int(found[2]) == total - 1)
            and _validator(response.headers) in ("", self.validator)
        ):
            self.total = self.total or total
            return True
        self.done, self.validator = 0, ""  # ask for all next time
        raise httpx.RemoteProtocolError("the rest that was sent is not what was asked for")

    def _write(self, piece: bytes, response: httpx.Response) -> None:
        self.file.write(piece)
        self.done += len(piece)
        if self.done > self.most:
            raise _too_large(self.url, self.most)
        if not self.looked and self.done >= HEAD:
            self._look(response)

    def _look(self, response: httpx.Response) -> None:
        self.looked = True
        self.file.seek(0)
        what = no_video(self.file.read(HEAD), response.headers.get("content-type", ""))
        self.file.seek(self.done)
        if what:
            raise BadInput("not_a_video", f"{host_of(self.url)}: sent {what}; remove the link")

    def _finish(self, response: httpx.Response) -> None:
        if self.total is not None and self.done != self.total:
            raise httpx.RemoteProtocolError(f"{self.done} of {self.total} bytes came")
        if not self.done:
            raise httpx.RemoteProtocolError("an empty file came")
        if not self.looked:
            self._look(response)


def _validator(headers: httpx.Headers) -> str:
    """What If-Range may name: a strong ETag, else the time of the last change."""
    etag = headers.get("etag", "")
    if etag and not etag.startswith("W/"):
        return str(etag)
    return "" if etag else str(headers.get("last-modified", ""))


def _length(headers: httpx.Headers) -> int | None:
    value = headers.get("content-length", "")
    return int(value) if value.isdecimal() else None


def _too_large(url: str, most: int) -> BadInput:
    return BadInput(
        "too_large", f"{host_of(url)}: the file has more than the {most:,} bytes that are allowed"
    )
