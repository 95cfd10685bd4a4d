"""Which column of a Hugging Face dataset holds the videos, and how."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from catalog.errors import EditmillError

FILE_NAME = "file_name"
"""A video folder's column of paths; `clip_file_name` holds those of a feature `clip`."""


@dataclass(frozen=True, slots=True)
class VideoColumn:
    """A column of videos: of their bytes, `{bytes, path}` or binary, or of paths to their files."""

    name: str
    holds_bytes: bool


def video_column(path: Path, schema: pl.Schema, asked: str | None) -> VideoColumn:
    """The column asked for by its own name or its feature's, or the only one there can be.

    Raises EditmillError where there is none, or where several could be meant.
    """
    if asked is not None:
        named = [n for n in (asked, f"{asked}_{FILE_NAME}") if n in schema]
        if not named and asked == "video" and FILE_NAME in schema:
            named = [FILE_NAME]
    else:
        named = _declared(path, schema) or [n for n in schema if _is_video(n, schema[n])]
    if not named:
        raise EditmillError(
            f"{path}: has no column of videos{f' {asked!r}' if asked else ''}, only "
            f"{', '.join(schema)}; name it in the recipe: columns: {{video: …}}"
        )
    if len(named) > 1 and asked is None:
        raise EditmillError(
            f"{path}: has several columns of videos, {', '.join(named)}; name one in the recipe: "
            "columns: {video: …}"
        )
    kind = schema[named[0]]
    if kind != pl.String and not _holds_bytes(kind):
        raise EditmillError(
            f"{path}: the column {named[0]} holds {kind}, neither paths nor videos; name another "
            "in the recipe: columns: {video: …}"
        )
    return VideoColumn(named[0], _holds_bytes(kind))


def _declared(path: Path, schema: pl.Schema) -> list[str]:
    """The columns that `datasets` has noted in a Parquet file to be videos."""
    if path.suffix != ".parquet":
        return []
    try:
        noted = pl.read_parquet_metadata(path).get("huggingface", "{}")
        features = json.loads(noted)["info"]["features"]
        return [
            name
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "Video" and name in schema
        ]
    except (KeyError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError, OSError):
        return []


def _is_video(name: str, kind: pl.DataType) -> bool:
    if kind == pl.String:
        return name in ("video", FILE_NAME) or name.endswith(f"_{FILE_NAME}")
    return isinstance(kind, pl.Struct) and _holds_bytes(kind)


def _holds_bytes(kind: pl.DataType) -> bool:
    if isinstance(kind, pl.Struct):
        return any(field.name == "bytes" and field.dtype == pl.Binary for field in kind.fields)
    return kind == pl.Binary
