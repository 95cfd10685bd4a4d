"""Memory of several processes that share pages."""

from __future__ import annotations

import time
from collections.abc import Sequence

import psutil

SHARED_SECONDS = 10.0
"""Between two looks at how much is shared: the kernel goes through all pages for it."""


class MemoryUse:
    """Bytes that processes hold, each page counted once, as Linux can tell (PSS). Elsewhere a
    shared page counts in every process."""

    def __init__(self) -> None:
        self._shared = 0
        self._looked = float("-inf")

    def of(self, processes: Sequence[psutil.Process]) -> int:
        """Their memory now. Raises psutil.Error where one has ended."""
        resident = sum(each.memory_info().rss for each in processes)
        if time.monotonic() - self._looked > SHARED_SECONDS:
            self._looked = time.monotonic()
            self._shared = max(0, resident - sum(_proportional(each) for each in processes))
        return max(0, resident - self._shared)


def _proportional(process: psutil.Process) -> int:
    """Its pages, a shared one divided by how many share it."""
    try:
        return int(getattr(process.memory_full_info(), "pss", process.memory_info().rss))
    except psutil.AccessDenied:
        return process.memory_info().rss
