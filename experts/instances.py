"""The models of this process: built on first use, loaded once, shared by its threads."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any, TypeVar

from experts.base import Model

M = TypeVar("M", bound=Model)

_shared: dict[Hashable, Any] = {}
_lock = threading.RLock()


def shared(kind: type[M], /, *args: Hashable, **kwargs: Hashable) -> M:
    """This process's one `kind(*args, **kwargs)`, not loaded unless somebody loaded it before.

    Its `version` can be read without weights, so a build whose products are all in the journal
    reads none.
    """
    identity = (kind, args, tuple(sorted(kwargs.items())))
    with _lock:
        if identity not in _shared:
            _shared[identity] = kind(*args, **kwargs)
        model: M = _shared[identity]
        return model


def ready(model: M) -> M:
    """The same model, loaded. Loading twice costs nothing."""
    with _lock:  # else two threads might read the same weights
        model.load()
        return model


def loaded(kind: type[M], /, *args: Hashable, **kwargs: Hashable) -> M:
    """This process's one `kind(*args, **kwargs)`, loaded."""
    return ready(shared(kind, *args, **kwargs))
