"""A process of this package's, as the process that started it holds it."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import catalog
from catalog.media.isolation.limits import DecodingLimits
from catalog.media.isolation.messages import Channel

PASSED = (
    *("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "VIRTUAL_ENV", "PYTHONHOME"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
    *("NUMBA_CACHE_DIR", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "GLIBC_TUNABLES"),
)
"""Variables that the decoding process is given. No secret is among them."""

WAIT = 5.0
"""Seconds that a process has to end, or to end a reading."""

_HERE = str(Path(catalog.__file__).parent.parent)
"""Goes first in the child's path: a user's folder may have a `catalog.py`."""


class ChildProcess:
    """Runs `main` of a module of this package, and ends when the process that started it does.

    `variables` are set beside those that it is given. `channel` leads to it.
    """

    def __init__(
        self, module: str, limits: DecodingLimits, variables: Mapping[str, str] | None = None
    ) -> None:
        ours, its = socket.socketpair()
        theirs, self._life = os.pipe()  # it ends when this end is closed
        arguments = (its.fileno(), theirs, dataclasses.asdict(limits))
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-c", f"{_program(module)}main{arguments!r}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(its.fileno(), theirs),
                env={**_environment(os.environ), **(variables or {})},
                process_group=0,  # Ctrl-C is for this process, which ends that one
            )
        except BaseException:
            ours.close()
            os.close(self._life)
            raise
        finally:
            its.close()
            os.close(theirs)
        ours.settimeout(limits.silence)
        self.channel = Channel(ours)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def runs(self) -> bool:
        return self._popen.poll() is None

    def exit_code(self) -> int | None:
        """How it ended, as `subprocess` says it; None where it goes on for WAIT seconds."""
        try:
            return self._popen.wait(WAIT)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """End it."""
        self.channel.close()
        if self._life >= 0:
            os.close(self._life)
            self._life = -1
        self._popen.kill()
        self._popen.wait(WAIT)

    def forget(self) -> None:
        """Close this process's ends, in a fork of the process that started it."""
        self.channel.close()
        os.close(self._life)
        self._life = -1
        self._popen.returncode = 0  # it is no child of this process: Popen shall not wait for it


def _program(module: str) -> str:
    """The beginning of a child's program: it imports `main` of this package's module."""
    path = f"import sys; sys.path[:] = {[_HERE, *sys.path]!r}; "
    return f"{path}from catalog.media.isolation.{module} import main; "


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """The variables that a child is given."""
    passed = {name: given[name] for name in PASSED if name in given}
    return {**passed, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
