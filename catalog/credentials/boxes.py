"""Room for one more box in an MP4 (ISO/IEC 14496-12).

A file is a row of boxes: length and type, 4 bytes each, then what it holds. In `moov` each track
lists where in the file its chunks of samples begin (`stco`, `co64`); what is inserted before them
moves them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from catalog.storage.files import copy_range

OFFSETS: dict[bytes, np.dtype[Any]] = {b"stco": np.dtype(">u4"), b"co64": np.dtype(">u8")}
"""Tables of chunk offsets, and what they hold after version, flags and count (8 bytes)."""

PARENTS = (b"trak", b"mdia", b"minf", b"stbl")
"""Boxes of boxes, down to these tables."""

OTHER_OFFSETS = frozenset((b"moof", b"sidx", b"mfra", b"meta", b"saio"))
"""Boxes that tell places in the file in other ways: of fragmented, still or encrypted media, which
an expert does not make."""


class NotAnMp4(Exception):
    """No MP4, or one that is laid out in a way not known here; its text is what was found."""


@dataclass(frozen=True, slots=True)
class _Box:
    type: bytes
    start: int
    content: int  # where what it holds begins
    end: int


def insert(box: bytes, source: BinaryIO, target: BinaryIO) -> int:
    """Write the MP4 in `source` to `target` with `box` after `ftyp`, where C2PA wants its own; tell
    where it begins. Both files are at their beginning; `moov` is held in memory.

    Raises NotAnMp4, and OSError where a file cannot be read or written.
    """
    boxes = list(_boxes(source))
    unknown = {each.type for each in boxes} & OTHER_OFFSETS
    if unknown or not boxes or boxes[0].type != b"ftyp" or b"moov" not in {b.type for b in boxes}:
        there = b" ".join(each.type for each in boxes).decode("latin-1")
        raise NotAnMp4(f"its boxes are {there!r}, not those of an ftyp, a moov and an mdat")
    place = boxes[0].end
    source.seek(0)
    copy_range(source, target, place)
    target.write(box)
    for each in boxes:
        if each.type == b"moov":
            copy_range(source, target, each.start)  # what lies between, in one piece
            moov = bytearray(source.read(each.end - each.start))
            _move(memoryview(moov)[each.content - each.start :], len(box))
            target.write(moov)
    copy_range(source, target, boxes[-1].end)
    return place


def _boxes(file: BinaryIO) -> Iterator[_Box]:
    """The file's own boxes."""
    size, start = file.seek(0, 2), 0
    while start < size:
        file.seek(start)
        box = _box(file.read(16), start, size)
        yield box
        start = box.end


def _inside(content: memoryview) -> Iterator[_Box]:
    start = 0
    while start < len(content):
        box = _box(bytes(content[start : start + 16]), start, len(content))
        yield box
        start = box.end


def _box(head: bytes, start: int, end: int) -> _Box:
    """The box of this head at `start`, of a file or a box that ends at `end`."""
    length, type_, header = int.from_bytes(head[:4]), head[4:8], 8
    if length == 1:  # the length did not fit, and stands behind the type
        length, header = int.from_bytes(head[8:16]), 16
    elif length == 0:  # to the end
        length = end - start
    if length < header or start + length > end:
        raise NotAnMp4(f"a box at byte {start} is {length} bytes long, where {end - start} are")
    return _Box(type_, start, start + header, start + length)


def _move(content: memoryview, by: int) -> None:
    """Add `by` to every chunk's offset below here."""
    for box in _inside(content):
        inside = content[box.content : box.end]
        if box.type in PARENTS:
            _move(inside, by)
        elif box.type in OTHER_OFFSETS:
            raise NotAnMp4(f"it has a box {box.type.decode()!r}")
        elif box.type in OFFSETS:
            offsets = np.frombuffer(inside[8:], OFFSETS[box.type])
            if len(offsets) and int(offsets.max()) + by > np.iinfo(offsets.dtype).max:
                raise NotAnMp4("it is as long as its offsets can count")
            offsets += np.array(by, offsets.dtype)
