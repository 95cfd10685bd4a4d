"""What decoding one video may cost, and how a process is held to it."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from catalog.errors import BadInput

LIMIT = "decode_limit"
"""The reason of a video that cost more than it may."""


@dataclass(frozen=True, slots=True)
class DecodingLimits:
    """What decoding one video may cost.

    The defaults leave room for twelve hours of 8K: they end what never ends, and are no measure of
    what is worth reading.
    """

    memory: int = 4 << 30
    """Bytes of address space of the whole process; its libraries take half a GiB of it, and 8K
    video with 16 reference frames one. macOS does not enforce it."""

    packets: int = 5_000_000
    """Of all streams in one pass: twelve hours at 60 frames and 47 packets of audio a second."""

    stall: int = 20
    """Seconds of CPU from one packet to the next; the largest picture takes about 3."""

    seconds: float = 6 * 3600.0
    """Of CPU for one reading; two hours of 4K take about 1.2 hours."""

    silence: float = 30.0
    """Seconds by the clock without a sign of life; what waits so long waits for a disk."""


class DecodingMeter:
    """Counts one reading's packets and CPU time, and says now and then that it goes on. There is no
    limit until :meth:`hold` sets one."""

    def __init__(self) -> None:
        self._limits: DecodingLimits | None = None
        self._alive: Callable[[], None] = lambda: None
        self._path: object = ""
        self._end = self._beat = math.inf

    def hold(self, limits: DecodingLimits, alive: Callable[[], None]) -> None:
        """Hold readings to these limits, and call `alive` once a second while one goes on."""
        self._limits, self._alive = limits, alive

    def begin(self, path: object) -> None:
        """A reading of the video at `path` begins."""
        if self._limits is not None:
            self._path = path
            self._end = time.process_time() + self._limits.seconds
            self._renew(self._limits)

    def packet(self, number: int) -> None:
        """Packet `number` of a pass was read. Raises BadInput (`decode_limit`)."""
        limits = self._limits
        if limits is None:
            return
        if number > limits.packets:
            raise BadInput(
                LIMIT,
                f"{self._path}: has more than {limits.packets} packets; cut it into shorter files",
            )
        if time.monotonic() >= self._beat:
            self._renew(limits)
            self._alive()

    def _renew(self, limits: DecodingLimits) -> None:
        used = time.process_time()
        if used > self._end:
            raise BadInput(
                LIMIT,
                f"{self._path}: was not decoded in {limits.seconds:.0f} s of CPU time; cut "
                "it into shorter files",
            )
        self._beat = time.monotonic() + 1
        _bound(resource.RLIMIT_CPU, math.ceil(used) + limits.stall)


METER = DecodingMeter()
"""Of this process: a decoding process reads one video at a time."""


def restrict(limits: DecodingLimits, files: int = 64, mapped: bool = False) -> None:
    """Hold this process to its memory, to `files` open ones and to small ones, and keep no core.
    Files that are `mapped` to be read, of any size, are not counted (Linux)."""
    _bound(resource.RLIMIT_DATA if mapped else resource.RLIMIT_AS, limits.memory)
    _bound(resource.RLIMIT_NOFILE, files)
    _bound(resource.RLIMIT_FSIZE, 64 << 20)  # numba keeps its compiled loop in a file
    _bound(resource.RLIMIT_CORE, 0)


def bound_cpu(seconds: float) -> None:
    """End this process (SIGXCPU) once it has used so many seconds of CPU time more."""
    _bound(resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds))


def _bound(what: int, most: int) -> None:
    """Lower the soft limit, which a signal or an error follows; the hard one stays."""
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    with suppress(ValueError, OSError):  # macOS refuses some
        resource.setrlimit(what, (most, hard))
