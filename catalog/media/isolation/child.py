"""What runs in a decoding process: it reads what it is asked for until its parent is gone."""

from __future__ import annotations

import dataclasses
import errno
import os
import socket
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import cv2
import psutil

from catalog.errors import BadInput, one_line
from catalog.media.isolation.limits import LIMIT, METER, DecodingLimits, restrict
from catalog.media.isolation.messages import ALIVE, CANCEL, FRAME, FREE, JSON, Channel, Message
from catalog.media.isolation.sandbox import give_up_network_and_programs
from catalog.media.isolation.shared import Memory, Slots
from catalog.media.picture import Frame
from catalog.media.reading import FrameRequest, Reading


def main(sock: int, life: int, limits: dict[str, Any]) -> None:
    """Serve the parent at the other end of the socket `sock`; the pipe `life` ends with it."""
    bounds = DecodingLimits(**limits)
    give_up_network_and_programs()
    threading.Thread(target=_end_with, args=(life,), daemon=True).start()
    os.dup2(os.open(os.devnull, os.O_RDWR), 2)  # what libraries print of a file
    cv2.setNumThreads(1)
    restrict(bounds)
    channel = Channel(socket.socket(fileno=sock))
    METER.hold(bounds, lambda: channel.send(Message(ALIVE)))
    with suppress(OSError):  # the parent is gone
        _Child(channel, bounds).serve()


def _end_with(life: int) -> None:
    """End this process, whatever it does, when the parent's end of the pipe is closed."""
    os.read(life, 1)
    os._exit(0)


class _Cancelled(Exception):
    """No more frames are wanted."""


class _Child:
    def __init__(self, channel: Channel, limits: DecodingLimits) -> None:
        self._channel, self._limits = channel, limits
        self._reading: Reading | None = None
        self._memory: Memory | None = None
        self._slots: Slots | None = None
        self._free: deque[int] = deque()
        self._slot = 0
        self._path = ""
        self._process = psutil.Process()

    def serve(self) -> None:
        while (message := self._channel.next()) is not None:
            if message.kind != JSON:
                continue  # about frames of a reading that has ended
            do = self._open if "open" in message.data else self._start
            try:
                answer = do(message.data)
            except _Cancelled:
                answer = {}
            except BadInput as error:
                answer = {"error": [error.reason, str(error), error.final]}
            except ConnectionError:  # BrokenPipeError too
                raise
            except Exception as error:
                answer = {"error": [*self._fault(error), True]}
            answer["used"] = self._process.memory_info().rss
            self._channel.send(Message(JSON, data=answer))

    def _open(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["folder"]:
            os.chdir(asked["folder"])
        self._path = asked["open"]["path"]
        METER.begin(self._path)
        self._reading = Reading(FrameRequest(**asked["open"]))
        return {
            "info": dataclasses.asdict(self._reading.info),
            "count": self._reading.count,
            "shapes": self._reading.shapes,
        }

    def _start(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._reading is not None
        if self._channel.descriptors:
            if self._memory is not None:
                self._memory.close()
            self._memory = Memory(self._channel.descriptors.popleft(), asked["memory"])
        assert self._memory is not None
        self._slots = Slots(self._memory, self._reading.shapes)
        self._free = deque(range(self._slots.count))
        for parts in self._reading.frames(self._into):
            self._channel.send(Message(FRAME, self._slot, parts))
        return {}

    def _into(self) -> Sequence[Frame]:
        """A free slot's pictures, waited for."""
        assert self._slots is not None
        while (message := self._channel.waiting()) is not None:
            self._heed(message)
        while not self._free:
            message = self._channel.next()
            if message is None:
                raise ConnectionResetError
            self._heed(message)
        self._slot = self._free.popleft()
        return self._slots.pictures(self._slot)

    def _heed(self, message: Message) -> None:
        if message.kind == CANCEL:
            raise _Cancelled
        if message.kind == FREE:
            # The slot used last is used next: its memory is in the processor's cache.
            self._free.appendleft(message.slot)

    def _fault(self, error: Exception) -> tuple[str, str]:
        """Reason and message for what is no BadInput."""
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            most = self._limits.memory >> 20
            message = f"{self._path}: needs more than {most} MiB to be decoded; scale it down"
            return LIMIT, message
        what = one_line(f"{type(error).__name__}: {error}")[:200]
        return "decoder_error", f"{self._path}: {what}"
