"""Annotated clips by their ids, read from the tables: so a task is given a clip by reference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from catalog.records import Clip, Track, from_row
from experts.annotate.clip import AnnotatedClip
from flows.runtime.context import Context


@dataclass(frozen=True, slots=True)
class ClipReference:
    """An annotated clip of a build: its id, its source's, and each track's id and label, in the
    order in which the clip has them (a table need not keep it, and edits are drawn by it)."""

    clip_id: str
    source_id: str
    tracks: tuple[tuple[str, str], ...]


def reference(annotated: AnnotatedClip) -> ClipReference:
    """What another task finds the clip by."""
    tracks = tuple((track.track_id, track.label) for track in annotated.tracks)
    return ClipReference(annotated.clip.clip_id, annotated.clip.source_id, tracks)


def recorded(ctx: Context, references: Iterable[ClipReference]) -> list[AnnotatedClip]:
    """The clips as this build wrote them, in this order, each once."""
    asked = {each.clip_id: each for each in references}
    clips = {clip.clip_id: clip for clip in _rows(ctx, "clips", Clip, list(asked))}
    tracks = {track.track_id: track for track in _rows(ctx, "tracks", Track, list(asked))}
    return [
        AnnotatedClip(clips[clip_id], [tracks[track_id] for track_id, _ in each.tracks])
        for clip_id, each in asked.items()
    ]


def _rows(ctx: Context, table: str, kind: type, clip_ids: Sequence[str]) -> list:
    tables = ctx.catalog.tables

    def found() -> pl.DataFrame:
        return tables.scan(table).filter(pl.col("clip_id").is_in(clip_ids)).collect()

    try:
        rows = found()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        tables.find_damage(table)  # waits for a storage that is away
        rows = found()
    return [from_row(kind, row) for row in rows.iter_rows(named=True)]
