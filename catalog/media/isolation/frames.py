"""One reading of a video that another process decodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from catalog.errors import BadInput, EditmillError
from catalog.media.demux.index import MAX_PIXELS, VideoInfo
from catalog.media.isolation.messages import Message
from catalog.media.isolation.process import DecodingProcess
from catalog.media.isolation.shared import Shape, Slots
from catalog.media.picture import Frame
from catalog.media.reading import FrameRequest, keep_freed_memory


class Frames:
    """One reading: an iterator over its frames, each a tuple of its pictures, uint8.

    Closes itself at its end, and when nobody refers to it any more.
    """

    def __init__(
        self,
        process: DecodingProcess,
        request: FrameRequest,
        give_back: Callable[[DecodingProcess], None],
    ) -> None:
        self._process: DecodingProcess | None = process
        keep_freed_memory()
        self._give_back = give_back
        self._slots: Slots | None = None
        self._read: list[int] = []  # slots that were copied from
        self._masks = request.masks
        try:
            answer = process.open(request)
            try:
                self.info = _info(answer["info"])
                self.count = min(int(answer["count"]), _most_frames(request, self.info.frames))
                self.shapes = [_shape(shape) for shape in answer["shapes"]]
            except (KeyError, TypeError, ValueError):
                raise process.broken() from None
        except BadInput:
            self.close()
            raise
        except BaseException:  # interrupted: the answer to come is nobody's
            self._process = None
            process.close()
            raise

    def __iter__(self) -> Frames:
        return self

    def __next__(self) -> tuple[Frame, ...]:
        message = self._next()
        if message is None:
            raise StopIteration
        assert self._slots is not None
        if 2 * self._slots.in_use < self._slots.count:
            return self._slots.lent(message.slot, message.parts)
        copies = tuple(p.copy() for p in self._slots.pictures(message.slot, message.parts))
        self._read.append(message.slot)
        return copies

    def read(self) -> Any:
        """All frames' first pictures in one array; bool for masks."""
        frames = np.empty((self.count, *self.shapes[0]), bool if self._masks else np.uint8)
        for k in range(self.count):
            message = self._next()
            if message is None or self._slots is None:
                raise EditmillError("a decoding process gave fewer frames than it said")
            frames[k] = self._slots.pictures(message.slot, 1)[0]
            self._read.append(message.slot)
        self.close()
        return frames

    def close(self) -> None:
        """Let another reading have the process."""
        process, self._process = self._process, None
        if process is not None:
            self._give_back(process)

    def __del__(self) -> None:
        self.close()

    def _next(self) -> Message | None:
        process = self._process
        if process is None:
            return None
        try:
            if self._slots is None:
                self._slots = process.start(self.shapes)
            message = process.frame(self._free)
            if message is not None and not (
                message.slot < self._slots.count and 0 < message.parts <= len(self.shapes)
            ):
                raise process.broken()
        except BaseException:
            self.close()
            raise
        if message is None:
            self.close()
        return message

    def _free(self) -> list[int]:
        assert self._slots is not None
        free, self._read = self._read + self._slots.released(), []
        return free


def _most_frames(request: FrameRequest, frames: int) -> int:
    if request.evenly is not None:
        return request.evenly
    return frames if request.count is None else min(frames, request.count)


def _info(answer: dict[str, Any]) -> VideoInfo:
    """The info that a process states, of which each field has its type."""
    breaks = tuple((int(first), int(end)) for first, end in answer.pop("breaks"))
    notes = tuple(str(note) for note in answer.pop("notes"))
    kinds = {"fps": float, "duration": float, "codec": str, "pix_fmt": str, "mirrored": bool}
    fields = {name: kinds.get(name, int)(value) for name, value in answer.items()}
    return VideoInfo(**fields, notes=notes, breaks=breaks)


def _shape(answer: list[Any]) -> Shape:
    height, width, *channels = (int(side) for side in answer)
    if min(height, width) < 1 or height * width > MAX_PIXELS or channels not in ([], [3]):
        raise ValueError(f"no shape of a frame: {answer}")
    return (height, width, *channels)
