"""The models of one worker process: built on first use, loaded once, shared by its threads."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any, TypeVar

import cv2
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from experts import threads as experts_threads
from experts.base import Expert, Model
from experts.edit import tasks

M = TypeVar("M", bound=Model)

_shared: dict[Hashable, Any] = {}
_lock = threading.RLock()


def limit_threads(threads: int) -> None:
    """Threads each model call may use; shards already keep the other cores busy.

    Torch gets one all the same, and so does NumPy's linear algebra: with another number their last
    bits would be others (`experts.threads`), and small matrices on two threads wait for each other
    most of the time.
    """
    experts_threads.limit(threads)
    cv2.setNumThreads(threads)
    experts_threads.one_for_torch()
    threadpool_limits(1)


def shared(kind: type[M], /, *args: Hashable, **kwargs: Hashable) -> M:
    """This process's one `kind(*args, **kwargs)`, perhaps not yet loaded: its version is free,
    and where every product is in the journal no weight is read."""
    identity = (kind, args, tuple(sorted(kwargs.items())))
    with _lock:
        if identity not in _shared:
            _shared[identity] = kind(*args, **kwargs)
        model: M = _shared[identity]
        return model


def ready(model: M) -> M:
    """The model, loaded; at no cost where it is."""
    with _lock:  # else two threads might read the same weights
        model.load()
        return model


def loaded(kind: type[M], /, *args: Hashable, **kwargs: Hashable) -> M:
    """This process's one `kind(*args, **kwargs)`, loaded."""
    return ready(shared(kind, *args, **kwargs))


def expert(task: str) -> Expert:
    """The task's expert, loaded."""
    return ready(tasks.expert_for(task))
