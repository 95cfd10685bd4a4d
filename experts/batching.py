"""Batches as large as the memory allows: where one is too large, it is halved, and said so.

How much a batch takes depends on the footage's size and on who else is on the GPU, so no fixed
number is right. A model that had to halve goes on with the smaller batch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from experts.memory import close_idle

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")

_reduced: dict[str, tuple[int, int]] = {}
_lock = threading.Lock()


class Batches:
    """Calls of the model `name` over batches of at most `size` items."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._wanted = self.size = size

    def over(self, items: Sequence[I], call: Callable[[Sequence[I]], Sequence[R]]) -> list[R]:
        """`call`'s results for all items, in their order. `call` gives one result per item.

        Where the memory does not suffice for a batch, models that nobody uses are closed, then the
        batch is halved. Raises what `call` raises, out of memory only for a single item.
        """
        results: list[R] = []
        freed = False
        while len(results) < len(items):
            batch = items[len(results) : len(results) + self.size]
            try:
                results += call(batch)
                continue
            except Exception as error:
                if not is_out_of_memory(error) or (len(batch) == 1 and freed):
                    raise
            # Outside the handler: its traceback would keep the failed batch's tensors alive.
            _empty_cache()
            if not freed and close_idle():
                freed = True
                continue
            freed = True
            if len(batch) > 1:
                self.size = len(batch) // 2
                with _lock:
                    _reduced[self._name] = (self._wanted, self.size)
        return results


def note_reduced(others: Mapping[str, tuple[int, int]]) -> None:
    """The same of models in another process."""
    with _lock:
        _reduced.update(others)


def reduced() -> dict[str, tuple[int, int]]:
    """Models whose batches were too large for the memory: the size wanted and the one used."""
    with _lock:
        return dict(_reduced)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU's or the machine's memory did not suffice."""
    import torch

    return isinstance(error, torch.OutOfMemoryError | MemoryError)


def _empty_cache() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
