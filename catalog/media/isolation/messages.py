"""Messages between a process and the one that decodes for it.

Nothing is pickled: whoever took over the decoding process could otherwise run code in this one.
"""

from __future__ import annotations

import array
import json
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

JSON, FRAME, ALIVE, FREE, CANCEL = range(5)
"""Kinds: a question or an answer; a frame lies in a slot; decoding goes on; a slot may be used
again; no more frames are wanted."""

MOST_BYTES = 16 << 20
"""Of one message's JSON."""

_HEAD = struct.Struct("<BBHI")  # kind, slot, parts, bytes of JSON that follow


class Message(NamedTuple):
    """One message; which fields it uses depends on its kind."""

    kind: int
    slot: int = 0
    parts: int = 0  # pictures of the frame in the slot
    data: Any = None


class Channel:
    """One end of a socket pair that carries messages, and file descriptors from parent to child."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self.descriptors: deque[int] = deque()  # that came

    def close(self) -> None:
        self._socket.close()

    def send(self, *messages: Message, descriptors: Sequence[int] = ()) -> None:
        """Raises OSError where the other end is gone, and ValueError for too much JSON."""
        data = b"".join(_packed(message) for message in messages)
        if descriptors:
            sent = socket.send_fds(self._socket, [data], list(descriptors))
            data = data[sent:]
        self._socket.sendall(data)

    def next(self) -> Message | None:
        """A message, waited for; None where the other end is gone. Raises TimeoutError."""
        while (message := self.buffered()) is None:
            if not self._more(0):
                return None
        return message

    def waiting(self) -> Message | None:
        """A message that has come, or None."""
        message = self.buffered()
        if message is None:
            try:
                self._more(socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            message = self.buffered()
        return message

    def buffered(self) -> Message | None:
        """A message that needs no reading from the socket, or None. Raises ValueError for what is
        none."""
        if len(self._buffer) < _HEAD.size:
            return None
        kind, slot, parts, size = _HEAD.unpack_from(self._buffer)
        if size > MOST_BYTES:
            raise ValueError(f"a message of {size} bytes")
        end = _HEAD.size + size
        if len(self._buffer) < end:
            return None
        text = bytes(self._buffer[_HEAD.size : end])
        del self._buffer[:end]
        return Message(
            kind, slot, parts, json.loads(text, parse_constant=_refuse) if text else None
        )

    def _more(self, flags: int) -> bool:
        ancillary = socket.CMSG_SPACE(array.array("i").itemsize)
        data, came, _, _ = self._socket.recvmsg(1 << 16, ancillary, flags)
        for level, kind, given in came:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self.descriptors.extend(array.array("i", given[: len(given) // 4 * 4]))
        self._buffer += data
        return bool(data)


def _packed(message: Message) -> bytes:
    data = b"" if message.data is None else json.dumps(message.data, allow_nan=False).encode()
    if len(data) > MOST_BYTES:
        raise ValueError(f"a message of {len(data)} bytes")
    return _HEAD.pack(message.kind, message.slot, message.parts, len(data)) + data


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} in a message")
