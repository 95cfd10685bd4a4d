"""The models of one worker process: built on first use, loaded once, shared by its threads."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any, TypeVar

import cv2
import torch

from experts.base import Expert, Model
from experts.edit import tasks

M = TypeVar("M", bound=Model)

_loaded: dict[Hashable, Any] = {}
_lock = threading.RLock()


def limit_threads(threads: int) -> None:
    """Threads each model call may use; shards already keep the other cores busy."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def loaded(kind: type[M], /, *args: Hashable, **kwargs: Hashable) -> M:
    """This process's one `kind(*args, **kwargs)`, loaded."""
    identity = (kind, args, tuple(sorted(kwargs.items())))
    with _lock:
        if identity not in _loaded:
            model = kind(*args, **kwargs)
            model.load()
            _loaded[identity] = model
        model = _loaded[identity]
        return model


def expert(task: str) -> Expert:
    """The task's expert, loaded."""
    with _lock:
        made = tasks.expert_for(task)
        if id(made) not in _loaded:
            made.load()
            _loaded[id(made)] = made
        return made


def close_all() -> None:
    """Frees every model of this process."""
    with _lock:
        for model in _loaded.values():
            model.close()
        _loaded.clear()
