"""Whose turn it is on a GPU: models are loaded for as long as they are used, within its memory.

A stage calls its models inside `with using(...)`. What fits stays loaded for the next call; where a
model does not fit beside those that are loaded, the ones used longest ago are closed first, and
where all others are in use, its thread waits for them. So one GPU serves any recipe whose largest
stage fits, and a second build of the same process finds its models there.

What a model takes is what its entry in the registry says, activations of one call included: to
measure it one would have to load it first.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, runtime_checkable

from catalog.errors import EditmillError
from experts.base import Model
from experts.devices import memory_of
from experts.instances import ready

GIB = 1 << 30

SHARE = 0.92
"""Of a GPU's memory: the rest is for CUDA's own context and for fragments between tensors."""


Around = Callable[[Sequence[Model]], AbstractContextManager[object]]


@runtime_checkable
class OnDevice(Protocol):
    """A model that may lie on a GPU: torch's name of it, and bytes taken there (0: none)."""

    @property
    def device(self) -> str: ...

    @property
    def device_bytes(self) -> int: ...


def parts_of(model: Any) -> list[Any]:
    """The model, if it has weights of its own or no `parts`, and those of its parts."""
    parts: Sequence[Any] = getattr(model, "parts", ())
    own = [model] if isinstance(model, OnDevice) or not parts else []
    return own + [leaf for part in parts for leaf in parts_of(part)]


class Residents:
    """Which models are loaded on which device. `budget` bytes per device; None takes the device's
    own memory."""

    def __init__(self, budget: int | None = None) -> None:
        self._budget = budget
        self._changed = threading.Condition(threading.RLock())
        self._loaded: dict[int, Any] = {}  # by identity, the one used longest ago first
        self._used: Counter[int] = Counter()
        self._held = threading.local()
        self._around: Around = lambda models: nullcontext()

    def around(self, context: Around) -> None:
        """From now on every use of loaded models lies within `context(models)`."""
        self._around = context

    def limit(self, budget: int | None) -> None:
        """Bytes per device from now on."""
        with self._changed:
            self._budget = budget
            self._changed.notify_all()

    @contextmanager
    def using(self, *models: Model) -> Iterator[None]:
        """The models are loaded, and stay so until the block ends.

        Name all models of a call at once: a thread that already holds some never waits for others,
        which could wait for it, and loads them beyond the budget instead. Raises EditmillError
        where the models alone are more than the budget, and what loading them raises.
        """
        leaves = {id(leaf): leaf for model in models for leaf in parts_of(model)}
        placed = {key: leaf for key, leaf in leaves.items() if _bytes(leaf)}
        held: Counter[int] = self._held.__dict__.setdefault("models", Counter())
        with self._changed:
            for device in sorted({leaf.device for leaf in placed.values()}):
                self._make_room(device, placed, waits=not held)
            self._used.update(placed.keys())
            for key, leaf in placed.items():
                self._loaded.pop(key, None)
                self._loaded[key] = leaf
        held.update(placed.keys())
        unready = set(placed)  # until it is loaded
        try:
            for model in models:
                ready(model)
                unready -= {id(leaf) for leaf in parts_of(model)}
            with self._around(models):
                yield
        finally:
            held.subtract(placed.keys())
            for key in placed:
                if not held[key]:
                    del held[key]
            with self._changed:
                self._used.subtract(placed.keys())
                for key in unready:
                    if not self._used[key]:
                        self._loaded.pop(key).close()  # of what it had loaded before it failed
                self._changed.notify_all()

    def close_idle(self) -> int:
        """Closes every model that nobody uses; how many those were."""
        with self._changed:
            idle = [key for key in self._loaded if not self._used[key]]
            for key in idle:
                self._loaded.pop(key).close()
            return len(idle)

    def _make_room(self, device: str, wanted: dict[int, Any], *, waits: bool) -> None:
        budget = self._budget or int(SHARE * memory_of(device))
        own = sum(_bytes(leaf) for leaf in wanted.values() if leaf.device == device)
        if own > budget:
            names = " and ".join(leaf.name for leaf in wanted.values() if leaf.device == device)
            raise EditmillError(
                f"{names}: {own / GIB:.1f} GiB are needed on {device} and {budget / GIB:.1f} may "
                "be used; choose a smaller model or `offload`, or raise `run.gpu_memory`"
            )
        while True:
            others = {
                key: leaf
                for key, leaf in self._loaded.items()
                if key not in wanted and leaf.device == device
            }
            beyond = own + sum(map(_bytes, others.values())) - budget
            idle = iter([key for key in others if not self._used[key]])
            while beyond > 0 and (key := next(idle, None)) is not None:
                beyond -= _bytes(others[key])
                self._loaded.pop(key).close()
            if beyond <= 0 or not waits:
                return
            self._changed.wait()


def _bytes(model: Any) -> int:
    return model.device_bytes if isinstance(model, OnDevice) else 0


_residents = Residents()
using = _residents.using
limit = _residents.limit
around = _residents.around
close_idle = _residents.close_idle
