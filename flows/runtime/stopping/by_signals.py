"""Stopping a build by a signal."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, suppress

from flows.runtime.context import Context
from flows.runtime.stopping import signals

NOTICE = b"Stopping once the edits in hand are finished; again to stop at once.\n"


def stopped_by_signals(ctx: Context, notice: bool = True) -> AbstractContextManager[None]:
    """The first Ctrl-C or SIGTERM lets the records in hand be finished, the second leaves at once;
    the journal is written so that either is safe. With `notice` the user is told so."""

    def stop(number: int) -> None:
        if ctx.stop.is_set():
            os._exit(128 + number)
        ctx.stopped_by = number
        ctx.stop.set()
        if not notice or (sys.stdout.isatty() and sys.stderr.isatty()):
            return  # the live table says so, and would write over it
        with suppress(OSError):  # stderr may be closed or full
            os.write(2, NOTICE)  # a handler may interrupt any other printing

    return signals.handled(stop)
