"""Annotated clips by reference, so that a task may be given any number of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from catalog.records import Clip, from_row, to_row
from experts.annotate.clip import AnnotatedClip
from flows.runtime.context import Context
from flows.stages.clips import annotate


@dataclass(frozen=True, slots=True)
class ClipReference:
    """A clip, without its camera's path, and each of its tracks' id and label."""

    clip: Clip
    tracks: tuple[tuple[str, str], ...]

    def row(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"clip": to_row(self.clip), "tracks": [list(track) for track in self.tracks]}

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> ClipReference:
        """What `row` wrote."""
        tracks = tuple((track, label) for track, label in row["tracks"])
        return cls(from_row(Clip, row["clip"]), tracks)


def reference(annotated: AnnotatedClip) -> ClipReference:
    """What another task finds the clip by."""
    tracks = tuple((track.track_id, track.label) for track in annotated.tracks)
    return ClipReference(dataclasses.replace(annotated.clip, camera=[]), tracks)


def recorded(ctx: Context, references: Iterable[ClipReference]) -> Iterator[AnnotatedClip]:
    """The clips as this build annotated them, in this order, each once, read one by one."""
    asked = {each.clip.clip_id: each.clip for each in references}
    for clip in asked.values():
        yield annotate.again(ctx, clip)
