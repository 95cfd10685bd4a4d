"""The report while a build runs: written again as pairs are judged."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from catalog.errors import EditmillError
from flows.runtime.context import Context
from flows.runtime.every import every

RELOAD_SECONDS = 20
"""After so long an open page loads itself anew; it is not written more often."""

POLL_SECONDS = 2.0

SHARE = 0.05
"""Of a build's time, at most, that goes into writing the page again."""


def filling(ctx: Context, write: Callable[[Context, int], object]) -> AbstractContextManager[None]:
    """Meanwhile, `write(ctx, RELOAD_SECONDS)` is called whenever products were added since."""
    shown, due = 0, 0.0

    def call() -> None:
        nonlocal shown, due
        made, start = ctx.stats.made, time.monotonic()
        if made == shown or start < due:
            return
        with suppress(EditmillError):  # the last page will say what is wrong
            write(ctx, RELOAD_SECONDS)
        shown = made
        took = time.monotonic() - start
        due = start + max(RELOAD_SECONDS, took / SHARE)

    return every(POLL_SECONDS, call, "report")
