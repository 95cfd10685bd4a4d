"""Files of equal content, found without reading what cannot be equal."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from pathlib import Path

from catalog.errors import BadInput
from catalog.keys import file_digest
from flows.sources.source import SourceFile

END = 1 << 16
"""Bytes compared at either end, before a file is read whole."""


def joined(files: Sequence[SourceFile]) -> list[SourceFile]:
    """The files in their order, each content once: the first of equal ones has the others as its
    `copies`. Of files of one size the ends are read, and only if these are equal, all.

    What cannot be read, or is empty, stays alone.
    """
    groups: Iterable[list[SourceFile]] = [[f for f in files if f.refusal is None]]
    for fingerprint in (_size, _ends, file_digest):
        groups = _split(groups, fingerprint)
    copies = {group[0].name: tuple(group[1:]) for group in groups if len(group) > 1}
    further = {file.name for group in copies.values() for file in group}
    return [
        dataclasses.replace(file, copies=copies[file.name]) if file.name in copies else file
        for file in files
        if file.name not in further
    ]


def _split(
    groups: Iterable[list[SourceFile]], fingerprint: Callable[[Path], Hashable]
) -> Iterator[list[SourceFile]]:
    for group in groups:
        if len(group) < 2:
            continue
        parts = defaultdict(list)
        for file in group:
            with contextlib.suppress(OSError, BadInput):
                parts[fingerprint(file.path)].append(file)
        parts.pop(0, None)  # empty files have no content to share
        yield from parts.values()


def _size(path: Path) -> int:
    return path.stat().st_size


def _ends(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(END)
        file.seek(-min(END, path.stat().st_size), 2)
        return start + file.read(END)
