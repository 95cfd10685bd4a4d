"""Functions that read a user's files, run in a process of their own: what a hostile or damaged file
does to a library, it does to that process.

A function is named `module:function`, is a generator of what JSON can hold, and gets arguments of
that kind; bytes go as base64 (:func:`pieces`). The process has the limits of a decoding process and
its sandbox, and is used again while all goes well.
"""

from __future__ import annotations

import atexit
import base64
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

from catalog.errors import BadInput, EditmillError
from catalog.media.isolation.child_process import ChildProcess
from catalog.media.isolation.limits import DecodingLimits
from catalog.media.isolation.messages import JSON, Message
from catalog.media.isolation.process import MOST_USED

LIMITS = DecodingLimits(seconds=600.0)
"""Of one call: a list of ten million links is read in half a minute."""

PIECE = 8 << 20
"""Bytes that are sent at once."""


def read(
    function: str,
    arguments: dict[str, Any],
    what: object,
    *,
    limits: DecodingLimits = LIMITS,
    check_stop: Callable[[], None] = lambda: None,
) -> Generator[Any, None, None]:
    """What the function yields, called in a process of its own; `what` names the file in errors.

    `check_stop` is called once a second while it reads. Raises EditmillError, in one line: the
    function's own, and BadInput where the process died or came to a limit (`unreadable_file`,
    `reader_crash`, `reader_killed`, `read_limit`, `read_stalled`).
    """
    process = _taken(limits)
    try:
        yield from process.answers(function, arguments, what, check_stop)
    finally:
        if process.ended and limits == LIMITS and process.used <= MOST_USED:
            with _lock:
                _idle.append(process)
        else:
            process.child.close()


def pieces(data: bytes) -> Iterator[str]:
    """Bytes as JSON can hold them; :func:`base64.b64decode` reads each."""
    for start in range(0, len(data), PIECE):
        yield base64.b64encode(data[start : start + PIECE]).decode()


class _Process:
    """A process that reads. Not safe under threads."""

    def __init__(self, limits: DecodingLimits) -> None:
        self._limits = limits
        self.ended = False  # the last call, well or with an error
        self.used = 0  # bytes of memory behind it
        self.child = ChildProcess("reader_child", limits, _BOUNDS)

    def answers(
        self, function: str, arguments: dict[str, Any], what: object, check_stop: Callable[[], None]
    ) -> Iterator[Any]:
        self.ended = False
        try:
            call = {"function": function, "arguments": arguments, "folder": str(Path.cwd())}
            self.child.channel.send(Message(JSON, data=call))
            while (message := self.child.channel.next()) is not None:
                check_stop()
                if message.kind != JSON:  # it is alive
                    continue
                answer = message.data
                if "found" in answer:
                    yield answer["found"]
                    continue
                self.used, self.ended = int(answer["used"]), True
                if "error" in answer:
                    raise _error(what, *answer["error"])
                return
        except TimeoutError:
            raise BadInput(
                "read_stalled",
                f"{what}: nothing came of it for {self._limits.silence:.0f} s; see that its disk "
                "answers",
                final=False,
            ) from None
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            pass  # it died, or says what no such process says
        raise self._died(what)

    def _died(self, what: object) -> BadInput:
        code = self.child.exit_code()
        if code is None:
            return BadInput("reader_crash", f"{what}: confuses its reader; leave it out")
        if code == -signal.SIGXCPU:
            return BadInput(
                "read_limit",
                f"{what}: was not read in {self._limits.seconds:.0f} s of CPU time; split it",
            )
        if code == -signal.SIGKILL:
            return BadInput(
                "reader_killed",
                f"{what}: the process that reads it was killed, perhaps for its memory",
                final=False,
            )
        name = signal.Signals(-code).name if code < 0 else f"code {code}"
        return BadInput(
            "reader_crash",
            f"{what}: crashes its reader, or needs more than {self._limits.memory >> 20} MiB "
            f"({name}); split it, write it anew, or leave it out",
        )


MOST_PIXELS = 1 << 26
"""Of a picture: 8192 x 8192."""

_BOUNDS = {
    "POLARS_MAX_THREADS": "2",  # each of them reserves memory
    "OPENCV_IO_MAX_IMAGE_PIXELS": str(MOST_PIXELS),
}

_idle: list[_Process] = []
_lock = threading.Lock()


def _taken(limits: DecodingLimits) -> _Process:
    if limits == LIMITS:
        with _lock:
            while _idle:
                process = _idle.pop()
                if process.child.runs:
                    return process
                process.child.close()
    return _Process(limits)


def _error(what: object, kind: str, message: str, reason: str, final: bool) -> EditmillError:
    if kind == "EditmillError":
        return EditmillError(message)
    return BadInput(reason, message if kind == "BadInput" else f"{what}: {message}", final=final)


def _close_all() -> None:
    with _lock:
        while _idle:
            _idle.pop().child.close()


def _forget_all() -> None:
    global _lock
    _lock = threading.Lock()
    while _idle:
        _idle.pop().child.forget()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_forget_all)
