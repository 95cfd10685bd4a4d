"""Servers of footage that are away are left alone, so that they cost a night minutes, not hours."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flows.sources.http import NoUsableAnswer, Unavailable

AWAY_AFTER = 3
"""Videos in a row for which a server gave nothing usable. Each is asked for six times within half a
minute and more (`flows.sources.http.client.Patience`), so this is no hiccup."""


class Hosts:
    """The servers that one build fetches from; safe under threads. `tell` gets a line for each that
    is given up."""

    def __init__(self, tell: Callable[[str], object], away_after: int = AWAY_AFTER) -> None:
        self._tell, self._away_after = tell, away_after
        self._failures: Counter[str] = Counter()  # in a row
        self._lock = threading.Lock()

    @contextmanager
    def asking(self, host: str) -> Iterator[None]:
        """Around a download from `host` (empty: from no server).

        Raises Unavailable, and nothing is asked, once the host is away.
        """
        if self._failures[host] >= self._away_after:
            raise Unavailable(
                f"{host}: did not answer for {self._away_after} videos in a row, so this one was "
                "not asked for; the next build asks again"
            )
        try:
            yield
        except NoUsableAnswer:
            self._failed(host)
            raise
        except Exception:  # a file that is gone, or no video: the server is there
            self._answered(host)
            raise
        self._answered(host)

    def _failed(self, host: str) -> None:
        with self._lock:
            self._failures[host] += 1
            if self._failures[host] == self._away_after:
                self._tell(
                    f"{host} did not answer for {self._away_after} videos in a row and was left "
                    "alone for the rest of this build; the next one asks again"
                )

    def _answered(self, host: str) -> None:
        with self._lock:
            if self._failures[host] < self._away_after:  # a slow one in flight changes nothing
                self._failures[host] = 0
