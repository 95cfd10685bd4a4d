"""Large libraries, imported in three quarters of the time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """For a block that imports: nobody looks for garbage meanwhile. An import makes objects that
    stay, and each look goes through all of them: without, importing Prefect and torch took 2.8
    core-seconds instead of 3.7."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
