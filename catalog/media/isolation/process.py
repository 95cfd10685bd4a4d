"""A decoding process, as the process that asks it sees it."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from catalog.errors import BadInput, EditmillError
from catalog.media.isolation.child_process import ChildProcess
from catalog.media.isolation.limits import LIMIT, DecodingLimits
from catalog.media.isolation.messages import CANCEL, FRAME, FREE, JSON, Message
from catalog.media.isolation.shared import Memory, Shape, Slots, memory_bytes
from catalog.media.reading import FrameRequest

MOST_USED = 1 << 30
"""Bytes, resident: a process that holds more behind a reading is not used again. (The peak that
getrusage(2) tells will not do: behind an exec it is that of the process that started this one.)"""


class DecodingProcess:
    """A child process that decodes one video at a time. Not safe under threads."""

    def __init__(self, limits: DecodingLimits) -> None:
        self._limits = limits
        self._memory: Memory | None = None
        self._slots: Slots | None = None
        self._reading = False  # its frames come, or could
        self._answered = False
        self._limited = False  # a video came to a limit, perhaps of memory, which is in pieces then
        self.used = 0  # bytes of memory, behind the last reading
        self._child = ChildProcess("child", limits)

    @property
    def pid(self) -> int:
        return self._child.pid

    def open(self, request: FrameRequest) -> dict[str, Any]:
        """What the process says about the video. Raises BadInput."""
        self._path = request.path
        folder = "" if Path(request.path).is_absolute() else str(Path.cwd())
        asked = {"open": dataclasses.asdict(request), "folder": folder}
        self._send(Message(JSON, data=asked))
        return self._answer()

    def start(self, shapes: list[Shape]) -> Slots:
        """Begin to decode the video that was opened. The slots its frames come in."""
        if self._memory is not None and (
            self._memory.size < memory_bytes(shapes) or (self._slots and self._slots.in_use)
        ):
            self._memory.close()  # who keeps frames of an earlier reading, keeps that memory
            self._memory = None
        fresh = self._memory is None
        self._memory = self._memory or Memory.made(memory_bytes(shapes))
        message = Message(JSON, data={"start": True, "memory": self._memory.size})
        self._send(message, descriptors=[self._memory.fd] if fresh else [])
        self._slots = Slots(self._memory, shapes)
        self._reading = True
        return self._slots

    def frame(self, free: Callable[[], list[int]]) -> Message | None:
        """The next frame's message; None behind the last. `free` gives slots that may be used
        again. Raises BadInput."""
        while True:
            message = self._buffered()
            if message is None:
                if slots := free():
                    self._send(*(Message(FREE, slot) for slot in slots))
                message = self._next()
            if message.kind == FRAME:
                return message
            if message.kind == JSON:
                self._reading = False
                self._checked(message.data)
                return None

    def cancel(self) -> None:
        """Want no more frames. Does not wait until the process knows."""
        if self._reading:
            with contextlib.suppress(EditmillError):  # it has died
                self._send(Message(CANCEL))

    def settled(self) -> bool:
        """Whether the process can be asked again, once what it was asked before has ended."""
        if not self._child.runs or self.used > MOST_USED:
            return False
        with contextlib.suppress(BadInput):  # of the reading that nobody waits for
            while self._reading:
                self.frame(lambda: [])
        return self._child.runs and not (self._reading or self._limited)

    def close(self) -> None:
        """End the process; arrays on its memory stay valid."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        self._child.close()

    def forget(self) -> None:
        """Close this process's ends, in a fork of the process that started it."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        self._reading = False  # by this process
        self._child.forget()

    def _answer(self) -> dict[str, Any]:
        while (message := self._next()).kind != JSON:
            continue
        return self._checked(message.data)

    def _checked(self, answer: Any) -> dict[str, Any]:
        self._answered = True
        try:
            self.used = int(answer["used"])
            error = answer.get("error")
            if error is None:
                return dict(answer)
            fault = BadInput(str(error[0]), str(error[1]), final=bool(error[2]))
            self._limited = fault.reason == LIMIT
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            raise self.broken() from None
        raise fault

    def _buffered(self) -> Message | None:
        try:
            return self._child.channel.buffered()
        except (ValueError, RecursionError):
            raise self.broken() from None

    def _next(self) -> Message:
        try:
            message = self._child.channel.next()
        except TimeoutError:
            self.close()
            raise BadInput(
                "decode_stalled",
                f"{self._path}: nothing came of it for {self._limits.silence:.0f} s; see that its "
                "disk answers",
                final=False,
            ) from None
        except OSError:
            message = None
        except (ValueError, RecursionError):
            raise self.broken() from None
        if message is None:
            raise self._died()
        return message

    def _send(self, *messages: Message, descriptors: list[int] | None = None) -> None:
        try:
            self._child.channel.send(*messages, descriptors=descriptors or [])
        except OSError:
            raise self._died() from None

    def broken(self) -> BadInput:
        """The error about a process that says what no decoding process says."""
        self.close()
        return BadInput("decoder_crash", f"{self._path}: confuses the decoder; leave it out")

    def _died(self) -> EditmillError:
        code = self._child.exit_code()
        if code is None:
            return self.broken()
        self.close()
        if code == -signal.SIGXCPU:
            return BadInput(
                LIMIT,
                f"{self._path}: kept the decoder busy for {self._limits.stall} s with one packet; "
                "re-encode it with: ffmpeg -i IN -c:v libx264 OUT.mp4",
            )
        if code == -signal.SIGKILL:
            return BadInput(
                "decoder_killed",
                f"{self._path}: the process that decodes it was killed, perhaps for its memory",
                final=False,
            )
        if code >= 0 and not self._answered:
            return EditmillError(
                f"{sys.executable}: cannot start the process that decodes videos (it ended with "
                f"{code}); see what it printed"
            )
        name = signal.Signals(-code).name if code < 0 else f"code {code}"
        return BadInput(
            "decoder_crash",
            f"{self._path}: crashes the decoder ({name}); re-encode it with: "
            "ffmpeg -i IN -c:v libx264 OUT.mp4",
        )
