"""The next record's video is decoded while the present one is with a model."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

R = TypeVar("R")
T = TypeVar("T")


class Prefetcher(Generic[R, T]):
    """Reads records with `read` in a thread, one ahead of the one in hand: two are begun.

    A context manager: what was read ahead and not taken is dropped at its end.
    """

    def __init__(self, read: Callable[[R], T]) -> None:
        self._read = read
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._ahead: list[tuple[R, Future[T]]] = []

    def start(self, record: R) -> None:
        """Reads the record in a thread, after the one that was begun before and not taken yet."""
        self._ahead = [*self._ahead[-1:], (record, self._thread.submit(self._read, record))]

    def take(self, record: R) -> T:
        """What the record holds, read now where it was not begun before. Raises as `read`."""
        for i, (begun, future) in enumerate(self._ahead):
            if begun == record:
                del self._ahead[i]
                return future.result()
        return self._read(record)

    def __enter__(self) -> Prefetcher[R, T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ahead = []
        self._thread.shutdown(cancel_futures=True)
