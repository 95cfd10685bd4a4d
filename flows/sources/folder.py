"""Videos below a folder.

What is no footage for certain (hidden, in a bin, of a system, of a catalog) and what is no video by
its name is left out and counted. A video by its name that cannot be read is listed with the reason,
so that it gets a row in `failures`.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import field_serializer

from catalog.errors import EditmillError, one_line, printable
from catalog.wording import counted
from flows.sources.source import Listing, LocalSection, Refusal, SourceFile
from flows.sources.suffixes import FOOTAGE, unsupported

SYSTEM = frozenset(
    [
        "__macosx", "$recycle.bin", "recycler", "recycled", "system volume information",
        "@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "lost+found",
        "temporary items", "network trash folder",
    ]
)  # fmt: skip
"""Bins and system folders of Windows, macOS, Linux and network disks, in lower case."""

NAMED = 6
"""Suffixes the note of files left out names; the rest is counted together."""


class FolderSources(LocalSection):
    """Every video below a folder."""

    kind: Literal["folder"]
    path: Path
    licence: str = "unknown"

    @field_serializer("path", when_used="json")
    def _printable(self, path: Path) -> str:
        return printable(path)  # the system's names need not be UTF-8, JSON must

    def find(self) -> Listing[SourceFile]:
        return find(self)


def find(section: FolderSources) -> Listing[SourceFile]:
    """Files with a video's suffix, sorted by path; links to files and folders are followed.

    Raises EditmillError where `section.path` is no folder, cannot be read or has no video in it.
    """
    root = _opened(section.path)
    walk = _Walk(root)
    notes = walk.notes()
    if not walk.found:
        raise EditmillError(
            f"{root}: no video in it; name a folder with .mp4, .mov, .mkv or other videos"
            + "".join(f" ({note})" for note in notes)
        )
    files = []
    for path in sorted(walk.found):
        name = printable(path.relative_to(root))
        files.append(
            SourceFile(
                path,
                name,
                name,
                section.licence,
                refusal=walk.found[path],
            )
        )
    # A name as it is goes before one that was made printable, should they be the same.
    files.sort(key=lambda file: _is_escaped(file.path))
    return Listing(files, [f"{note} in {one_line(str(root))}" for note in notes])


def _opened(path: Path) -> Path:
    """The folder, which can be listed."""
    try:
        root = path.expanduser()
        os.scandir(root).close()
    except (FileNotFoundError, NotADirectoryError, RuntimeError):  # the last: `~nobody`
        raise EditmillError(
            f"{path}: not a folder; correct the path (in `sources` if a recipe has it)"
        ) from None
    except OSError as error:
        raise EditmillError(
            f"{path}: cannot be read ({error.strerror}); correct its permissions"
        ) from None
    return root


def _is_escaped(path: Path) -> bool:
    try:
        os.fsencode(path).decode()
    except UnicodeDecodeError:
        return True
    return False


@dataclass(slots=True)
class _Walk:
    """One walk over everything below `root`: `found` are the videos by name, each with the reason
    why it cannot be read, or None."""

    root: Path
    found: dict[Path, Refusal | None] = field(default_factory=dict)
    _others: Counter[str] = field(default_factory=Counter)  # no video by name, by suffix
    _hidden: int = 0
    _again: int = 0  # links to folders that were walked already
    _seen: set[tuple[int, int]] = field(default_factory=set)
    _links: list[Path] = field(default_factory=list)  # linked folders still to be walked

    def __post_init__(self) -> None:
        self._below(self.root)
        # Only now, so that what lies below the root is named by its own path.
        while self._links:
            self._links.sort()
            self._below(self._links.pop(0))

    def notes(self) -> list[str]:
        """A line that says what was left out; none where nothing was."""
        parts = []
        if count := self._others.total():
            named = sorted(self._others.items(), key=lambda other: (-other[1], other[0]))[:NAMED]
            counts = [f"{suffix or 'no suffix'} {n}" for suffix, n in named]
            if rest := count - sum(n for _, n in named):
                counts.append(f"others {rest}")
            kind = counted(count, "file that is", "files that are")
            parts.append(f"{kind} no video by name ({', '.join(counts)})")
        if self._hidden:
            parts.append(f"{self._hidden} hidden (or a bin, a system folder, a catalog)")
        if self._again:
            parts.append(f"{counted(self._again, 'link')} to a folder listed already")
        return [f"Left out: {', '.join(parts)}"] if parts else []

    def _below(self, start: Path) -> None:
        for where, folders, files in os.walk(start, onerror=self._unreadable):
            folder = Path(where)
            if self._was_seen(folder) or self._is_catalog(folder, folders, files):
                folders.clear()
                continue
            folders[:] = sorted(name for name in folders if self._is_shown(name))
            # os.walk lists links to folders without following them.
            self._links += [folder / name for name in folders if _is_link(folder / name)]
            for name in filter(self._is_shown, files):
                self._look_at(folder / name)

    def _was_seen(self, folder: Path) -> bool:
        """Whether these very files were walked already: links may lead back, or twice to one."""
        try:
            status = folder.stat()
        except OSError as error:
            self._unreadable(error)
            return True
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen:
            self._again += 1
            return True
        self._seen.add(identity)
        return False

    def _is_catalog(self, folder: Path, folders: list[str], files: list[str]) -> bool:
        """Whether it is what a build made: its videos are clips and edits."""
        made = "catalog.json" in files and "tables" in folders and folder != self.root
        self._hidden += made
        return made

    def _is_shown(self, name: str) -> bool:
        # `.name` is hidden; `..name` is a name that somebody gave.
        hidden = (name.startswith(".") and name[1:2] != ".") or name.lower() in SYSTEM
        self._hidden += hidden
        return not hidden

    def _look_at(self, path: Path) -> None:
        suffix = path.suffix.lower()
        why = unsupported(suffix)
        if why:
            self.found[path] = Refusal("unsupported_format", f"{path}: {why}")
        elif suffix not in FOOTAGE:
            self._others[one_line(suffix)] += 1
        elif _is_no_file(path):
            self.found[path] = Refusal(
                "unreadable_file", f"{path}: a device or pipe, not a file; remove it"
            )
        else:
            self.found[path] = None

    def _unreadable(self, error: OSError) -> None:
        path = Path(os.fsdecode(error.filename))
        self.found[path] = Refusal(
            "unreadable_folder",
            f"{path}: cannot be read ({error.strerror}); correct its permissions",
            final=False,
        )


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError:  # in a folder that may be listed, not entered
        return False


def _is_no_file(path: Path) -> bool:
    """Whether it is a pipe, socket or device. What cannot be asked is told when it is read."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False
