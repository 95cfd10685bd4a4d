"""How far a call of minutes is, for whoever waits before it.

An expert goes over its frames through :func:`over`, and `editmill edit` listens. A build counts
records instead: nobody listens there, and telling costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

Listener = Callable[[str, int, int], None]
"""(what is being done, how many steps of it are finished, of how many)"""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Meanwhile, `listener` is told of what this thread does."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(what: str, done: int, total: int) -> None:
    """That `done` steps of `total` are finished."""
    if (listener := _listener.get()) is not None:
        listener(what, done, total)


def over(steps: Iterable[T], what: str, total: int) -> Iterator[T]:
    """The `total` steps, each told once whoever asked for it asks for the next."""
    tell(what, 0, total)
    for done, step in enumerate(steps, 1):
        yield step
        tell(what, done, total)
