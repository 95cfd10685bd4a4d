"""Which column of a Hugging Face dataset holds the videos, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import EditmillError
from catalog.media.isolation import reader
from flows.sources.links import reading

FILE_NAME = "file_name"
"""A video folder's column of paths; `clip_file_name` holds those of a feature `clip`."""


@dataclass(frozen=True, slots=True)
class VideoColumn:
    """A column of videos: of their bytes, `{bytes, path}` or binary, or of paths to their files."""

    name: str
    holds_bytes: bool


def video_column(path: Path, columns: Mapping[str, str], asked: str | None) -> VideoColumn:
    """The column asked for by its own name or its feature's, or the only one there can be.

    Raises EditmillError where there is none, or where several could be meant.
    """
    if asked is not None:
        named = [n for n in (asked, f"{asked}_{FILE_NAME}") if n in columns]
        if not named and asked == "video" and FILE_NAME in columns:
            named = [FILE_NAME]
    else:
        named = _declared(path, columns) or [n for n in columns if _is_video(n, columns[n])]
    if not named:
        raise EditmillError(
            f"{path}: has no column of videos{f' {asked!r}' if asked else ''}, only "
            f"{reading.named(columns)}; name it in the recipe: columns: {{video: …}}"
        )
    if len(named) > 1 and asked is None:
        raise EditmillError(
            f"{path}: has several columns of videos, {reading.named(named)}; name one in the "
            "recipe: columns: {video: …}"
        )
    kind = columns[named[0]]
    if kind not in (reading.TEXT, reading.BYTES, reading.EITHER):
        raise EditmillError(
            f"{path}: the column {named[0]} holds {kind}, neither paths nor videos; name another "
            "in the recipe: columns: {video: …}"
        )
    return VideoColumn(named[0], kind != reading.TEXT)


def _declared(path: Path, columns: Mapping[str, str]) -> list[str]:
    """The columns that `datasets` has noted in a Parquet file to be videos."""
    if path.suffix != ".parquet":
        return []
    name = f"{reading.__name__}:declared_videos"
    (found,) = reader.read(name, {"path": str(path)}, path)
    return [column for column in found if column in columns]


def _is_video(name: str, kind: str) -> bool:
    if kind == reading.TEXT:
        return name in ("video", FILE_NAME) or name.endswith(f"_{FILE_NAME}")
    return kind == reading.EITHER
