"""A catalog's clips and tracks as training records.

Every expert learns to bring back real footage, so it learns from clips, their captions and the
masks of their objects; pairs, which experts made, are not among them. Clips are held out by source,
and which source is held out depends on the source alone: it stays so when the catalog grows.
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
from experts.diffusion.training.data.clip import Clip as Footage
from experts.diffusion.training.data.clip import ClipSource
from flows.training.experts.settings import Data


class Record(ClipSource, Protocol):
    """Anything in a catalog that can be learnt from."""

    @property
    def source_id(self) -> str: ...

    @property
    def licence(self) -> str: ...

    @property
    def media(self) -> tuple[str, ...]:
        """References of the videos it cannot do without."""
        ...


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class CatalogClip:
    """A clip of the catalog, as `experts.diffusion.training.data.clip.ClipSource` wants it."""

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

    def clip(self) -> Footage:
        self.controls.load()
        frames = media.read_video(self.dataset.path(self.row.video))
        return Footage(frames, self.row.caption, self.controls.of(frames))

    def masks(self, index: int) -> Masks:
        return media.read_masks(self.dataset.path(self.tracks[index].masks))


def collect(dataset: Queries, spec: ExpertSpec, rules: Data, where: str) -> list[CatalogClip]:
    """The clips the expert can learn from, in an order that depends on them alone.

    Raises EditmillError, saying what `where` lacks, where there are none.
    """
    controls = Controls(spec.control)
    tracks: dict[str, list[Track]] = defaultdict(list)
    if spec.mask:
        suited = dataset.tracks().filter(
            pl.col("score") >= rules.min_score,
            pl.col("area").is_between(rules.min_area, rules.max_area),
        )
        for row in suited.sort("track_id").collect().iter_rows(named=True):
            tracks[row["clip_id"]].append(from_row(Track, row))
    rows = dataset.clips().collect().iter_rows(named=True)
    clips = sorted((from_row(Clip, row) for row in rows), key=lambda c: digest("order", c.clip_id))
    if spec.mask:
        # The remover and the inpainter paint strangers' masks over any clip.
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
    found = found[: rules.clips]
    return [CatalogClip(dataset, clip, tuple(tracks[clip.clip_id]), controls) for clip in found]


def split(records: Sequence[R], share: float) -> tuple[list[R], list[R]]:
    """Records to learn from, and those of held-out sources.

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
"""What is read for each kind of record, where it is more than the table of its name."""


def data_ref(dataset: Queries, ref: str, records: Records = "clips") -> str:
    """What was read, so that it can be read again: a release, or `main` with Delta versions."""
    if ref != "main":
        return ref
    tables = TABLES.get(records, (records,))
    versions = {table: dataset.tables.version(table) for table in tables}
    return "main@" + ",".join(f"{table}={version}" for table, version in versions.items())


def _place(source_id: str) -> float:
    return int(digest("held out", source_id)[:12], 16) / 16**12
