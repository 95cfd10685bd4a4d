"""The decoding processes of this process: as many as there are videos being read at once."""

from __future__ import annotations

import atexit
import os
import threading

from catalog.media.isolation.frames import Frames
from catalog.media.isolation.limits import DecodingLimits
from catalog.media.isolation.process import DecodingProcess
from catalog.media.reading import FrameRequest

MOST_IDLE = 4
"""Processes that are kept while nothing is read: two shards at work read up to two videos at once
each. One takes 80 MB, and 200 MB once it has converted 400 frames of 1280x720
(`catalog.media.colour.conversion`)."""


class DecodingPool:
    """Decoding processes, started when they are needed and used again. Safe under threads."""

    def __init__(self, limits: DecodingLimits | None = None) -> None:
        self._limits = limits or DecodingLimits()
        self._lock = threading.Lock()
        self._idle: list[DecodingProcess] = []
        self._busy: set[DecodingProcess] = set()

    def opened(self, request: FrameRequest) -> Frames:
        """The video, opened in a process. Raises BadInput."""
        return Frames(self._taken(), request, self._give_back)

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            processes = [*self._idle, *self._busy]
            self._idle, self._busy = [], set()
        for process in processes:
            process.close()

    def forget(self) -> None:
        """Leave all processes to the process that this one was forked from."""
        processes = [*self._idle, *self._busy]
        self._lock = threading.Lock()
        self._idle, self._busy = [], set()
        for process in processes:
            process.forget()

    def _taken(self) -> DecodingProcess:
        while True:
            with self._lock:
                # The one used last: it knows the index of the videos that are read now.
                process = self._idle.pop() if self._idle else None
            if process is None:
                process = DecodingProcess(self._limits)
            elif not process.settled():
                process.close()
                continue
            with self._lock:
                self._busy.add(process)
            return process

    def _give_back(self, process: DecodingProcess) -> None:
        process.cancel()
        with self._lock:
            if process not in self._busy:
                return  # closed, or forgotten
            self._busy.remove(process)
            if len(self._idle) < MOST_IDLE:
                self._idle.append(process)
                return
        process.close()


_pool = DecodingPool()
atexit.register(_pool.close)
os.register_at_fork(after_in_child=_pool.forget)
opened = _pool.opened
"""See :meth:`DecodingPool.opened`."""
