"""SIGINT (Ctrl-C) and SIGTERM (what schedulers and containers send) mean the same: stop.

A shell expects 128 + the signal's number as the exit code of a command that one of them ended.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOPPING = (signal.SIGINT, signal.SIGTERM)

AGAIN_SECONDS = 0.02
"""Between a signal that was lost and its repetition: what lost it is over by then."""


class Signalled(BaseException):
    """One of them came where nothing had to be finished first."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.exit_code = 128 + number


def interrupt(number: int) -> None:
    """The handler of a command that can end anywhere."""
    raise Signalled(number)


@contextmanager
def none_lost() -> Iterator[None]:
    """Meanwhile, a Signalled raised where Python can only drop it comes again: in a destructor, or
    in the callback that lets go of a module's lock, of which an import has hundreds."""
    before = sys.unraisablehook

    def hook(dropped: sys.UnraisableHookArgs) -> None:
        if isinstance(dropped.exc_value, Signalled):
            main, number = threading.main_thread().ident, dropped.exc_value.number
            again = threading.Timer(AGAIN_SECONDS, signal.pthread_kill, [main, number])
            again.daemon = True
            again.start()
        else:
            before(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextmanager
def handled(stop: Callable[[int], None]) -> Iterator[None]:
    """Meanwhile, either calls `stop` with its number; in the main thread alone, as Python's own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda n, _: stop(n)) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
