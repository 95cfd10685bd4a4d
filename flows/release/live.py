"""The report while a build runs: written again as pairs are judged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from catalog.errors import EditmillError
from flows.runtime.context import Context

RELOAD_SECONDS = 20
"""After so long an open page loads itself anew; it is not written more often."""

POLL_SECONDS = 2.0

SHARE = 0.05
"""Of a build's time, at most, that goes into writing the page again."""


@contextmanager
def filling(ctx: Context, write: Callable[[Context, int], object]) -> Iterator[None]:
    """Meanwhile, `write(ctx, RELOAD_SECONDS)` is called whenever products were added since."""
    ended = threading.Event()

    def loop() -> None:
        shown, due = 0, 0.0
        while not ended.wait(POLL_SECONDS):
            made, start = ctx.stats.made, time.monotonic()
            if made == shown or start < due:
                continue
            with suppress(EditmillError):  # the last page will say what is wrong
                write(ctx, RELOAD_SECONDS)
            shown = made
            took = time.monotonic() - start
            due = start + max(RELOAD_SECONDS, took / SHARE)

    thread = threading.Thread(target=loop, name="report", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
