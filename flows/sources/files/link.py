"""A file behind an http(s) link, whose server answers with the bytes that it is asked for."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

from catalog.errors import BadInput
from flows.sources.files.file import CheckStop, FileState, changed
from flows.sources.http import HttpClient
from flows.sources.links.stable import stable_link

PIECE = 8 << 20
"""Bytes of one request."""

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class LinkedFile:
    """The file behind `link`; `hosts` are those that may lie on a private network."""

    link: str = field(repr=False)  # may be signed
    hosts: tuple[str, ...] = ()

    @property
    def uri(self) -> str:
        return stable_link(self.link)

    def state(self, check_stop: CheckStop) -> FileState:
        return self._asked(0, 1, check_stop)[0]

    def pieces(
        self, state: FileState, start: int, size: int, check_stop: CheckStop
    ) -> Iterator[bytes]:
        end = min(start + size, state.size)
        while start < end:
            now, data = self._asked(start, min(PIECE, end - start), check_stop)
            if now != state:
                raise changed(self.uri)
            start += len(data)
            yield data

    def _asked(self, start: int, size: int, check_stop: CheckStop) -> tuple[FileState, bytes]:
        """The file's state and these bytes of it."""
        answer: list[tuple[FileState, bytes]] = []
        client = _client(self.hosts)
        # Compressed on the way, the bytes would be counted otherwise.
        headers = {"Range": f"bytes={start}-{start + size - 1}", "Accept-Encoding": "identity"}

        def once() -> None:
            with client.open(self.link, check_stop, headers) as response:
                answer[:] = [self._read(response, start, size)]

        client.trying(self.link, once, check_stop)
        return answer[0]

    def _read(self, response: httpx.Response, start: int, size: int) -> tuple[FileState, bytes]:
        found = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if response.status_code != 206 or found is None or int(found[1]) != start:
            raise BadInput(
                "no_ranges",
                f"{self.uri}: the server does not send parts of files (HTTP ranges); fetch the "
                "file and name it where it lies then",
            )
        data = bytearray()
        for piece in response.iter_bytes():
            data += piece
            if len(data) > size:
                raise ValueError("more than was asked for")
        if len(data) != int(found[2]) + 1 - start:
            raise ValueError("cut short")  # is tried again
        headers = response.headers
        version = headers.get("etag") or headers.get("last-modified") or ""
        return FileState(int(found[3]), version), bytes(data)


@functools.lru_cache(maxsize=8)
def _client(hosts: tuple[str, ...]) -> HttpClient:
    return HttpClient(hosts)
