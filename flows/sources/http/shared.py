"""One client per process for downloads: connections stay open from file to file."""

from __future__ import annotations

import functools
import os

from flows.sources.http.client import HttpClient
from flows.sources.http.waiting import SYSTEM


def shared_client(trusted: frozenset[str] = frozenset()) -> HttpClient:
    """The process's client for links that need no key; `trusted` as of :class:`HttpClient`."""
    return _client(os.getpid(), trusted)  # no connection outlives a fork


@functools.lru_cache(maxsize=8)
def _client(pid: int, trusted: frozenset[str]) -> HttpClient:
    return HttpClient(trusted, clock=SYSTEM)
