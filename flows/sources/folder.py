"""Videos below a folder."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.errors import EditmillError
from flows.recipe import FolderSources
from flows.sources import SourceFile

SUFFIXES = frozenset(
    [
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".mpg",
        ".mpeg",
        ".ts",
        ".mts",
        ".wmv",
        ".flv",
        ".3gp",
        ".ogv",
    ]
)


def find(section: FolderSources) -> Iterator[SourceFile]:
    """Files with a video's suffix, sorted by path. Raises EditmillError if there is none."""
    root = section.path.expanduser()
    if not root.is_dir():
        raise EditmillError(f"{root}: not a folder; correct the recipe's `sources` or --source")
    files = sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise EditmillError(f"{root}: no video in it (looked for {' '.join(sorted(SUFFIXES))})")
    for path in files:
        name = path.relative_to(root).as_posix()
        yield SourceFile(path, name, uri=name, licence=section.licence)
