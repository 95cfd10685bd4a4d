"""A catalog's clips and tracks as training records.

An expert learns to reconstruct real footage, so it is trained on clips, their captions and the
masks of their objects, and not on pairs, which experts made. Whole sources are held out; whether
one is depends on its id alone, so it stays held out as the catalog grows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import polars as pl

from catalog import media
from catalog.errors import EditmillError
from catalog.keys import digest
from catalog.query import Queries
from catalog.records import Clip, Track, from_row
from experts.base import Masks
from experts.diffusion.conditioning.controls import Controls
from experts.diffusion.specs import ExpertSpec, Records
from experts.diffusion.training.data.clip import ClipSource, TrainingClip
from experts.diffusion.training.data.selection import RecordSelection


class TrainableRecord(ClipSource, Protocol):
    """Anything in a catalog that a model can be trained on."""

    @property
    def source_id(self) -> str: ...

    @property
    def licence(self) -> str: ...

    @property
    def media(self) -> tuple[str, ...]:
        """References of the videos it needs."""
        ...


R = TypeVar("R", bound=TrainableRecord)


@dataclass(frozen=True, slots=True)
class CatalogClip:
    """A clip of the catalog as a `ClipSource`."""

    dataset: Queries
    row: Clip
    tracks: tuple[Track, ...]
    controls: Controls

    @property
    def key(self) -> str:
        """Of footage, caption and masks, by their content."""
        masks = [(track.label, track.masks) for track in self.tracks]
        controls = self.controls.version if self.controls.names else ""
        return digest(self.row.video, self.row.caption, masks, controls)

    @property
    def source_id(self) -> str:
        return self.row.source_id

    @property
    def licence(self) -> str:
        return self.row.licence

    @property
    def media(self) -> tuple[str, ...]:
        return (self.row.video,)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(track.label for track in self.tracks)

    def clip(self) -> TrainingClip:
        self.controls.load()
        frames = media.read_video(self.dataset.path(self.row.video))
        return TrainingClip(frames, self.row.caption, self.controls.of(frames))

    def masks(self, index: int) -> Masks:
        return media.read_masks(self.dataset.path(self.tracks[index].masks))


def collect(
    dataset: Queries, spec: ExpertSpec, selection: RecordSelection, where: str
) -> list[CatalogClip]:
    """The clips the expert can be trained on, in an order that depends on their ids alone.

    Raises EditmillError, saying what `where` lacks, where there are none.
    """
    controls = Controls(spec.control)
    tracks: dict[str, list[Track]] = defaultdict(list)
    if spec.mask:
        suited = dataset.tracks().filter(
            pl.col("score") >= selection.min_score,
            pl.col("area").is_between(selection.min_area, selection.max_area),
        )
        for row in suited.sort("track_id").collect().iter_rows(named=True):
            tracks[row["clip_id"]].append(from_row(Track, row))
    rows = dataset.clips().collect().iter_rows(named=True)
    clips = sorted((from_row(Clip, row) for row in rows), key=lambda c: digest("order", c.clip_id))
    if spec.mask:
        # The remover and the inpainter also mask a clip by objects of other clips.
        anywhere = bool(spec.negative) or spec.negative_channels
        found = [clip for clip in clips if anywhere or tracks[clip.clip_id]]
        lacks = "" if any(tracks.values()) else "an object's track"
    else:
        found = [clip for clip in clips if clip.caption]
        lacks = "" if found else "a caption"
    if lacks or not found:
        raise EditmillError(
            f"{where}: nothing for the {spec.name} to learn from: none of {len(clips)} clips has "
            f"{lacks or 'footage'}; build with annotations first, or name another --ref"
        )
    found = found[: selection.max_records]
    return [CatalogClip(dataset, clip, tuple(tracks[clip.clip_id]), controls) for clip in found]


def split(records: Sequence[R], share: float) -> tuple[list[R], list[R]]:
    """Records to train on, and those of held-out sources: about `share` of all, one at least.

    Raises EditmillError where there is one source only.
    """
    places = {record.source_id: _place(record.source_id) for record in records}
    if len(places) < 2:
        raise EditmillError(
            "all clips are of one source, and one must be held out to judge by; build from more"
        )
    held = {source for source, place in places.items() if place < share}
    held = held or {min(places, key=lambda source: places[source])}
    if len(held) == len(places):
        held.remove(max(held, key=lambda source: places[source]))
    apart = [record for record in records if record.source_id in held]
    return [record for record in records if record.source_id not in held], apart


TABLES: dict[Records, tuple[str, ...]] = {"clips": ("clips", "tracks")}
"""The tables that each kind of record is read from, where not the one of its name."""


def data_ref(dataset: Queries, ref: str, records: Records = "clips") -> str:
    """What was read, so that it can be read again: a release, or `main` with table versions."""
    if ref != "main":
        return ref
    tables = TABLES.get(records, (records,))
    versions = {table: dataset.tables.version(table) for table in tables}
    return "main@" + ",".join(f"{table}={version}" for table, version in versions.items())


def _place(source_id: str) -> float:
    return int(digest("held out", source_id)[:12], 16) / 16**12
