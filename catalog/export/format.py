"""What a format is: it takes records and says which files they become."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from catalog.errors import EditmillError
from catalog.export.files import Encoded, ExportFile, Masks, Original, White, csv_table, json_list
from catalog.export.shapes import Shape, Side, VideoNeeds, shape_of

Rows = Literal["pairs", "preferences", "local_edits"]
"""What a format's records are: edited pairs, a kept pair with a rejected one of the same edit, or
local-editing records."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""An id comes from a row, and a row may come from anywhere: only this becomes a file name."""


@dataclass(frozen=True, slots=True)
class ExportRecord:
    """One row to be exported: `row` has the columns of `catalog.records.Pair`, or of `LocalEdit`;
    `shapes` are those of source and target in the export (of a pair). Where `signed`, generated
    videos get content credentials."""

    id: str
    row: Mapping[str, Any]
    shapes: Mapping[Side, Shape] = field(default_factory=dict)
    signed: bool = False

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise EditmillError(
                f"{self.id!r}: is no record's id (letters, digits, '_' and '-', at most 64); "
                "leave the row out with --where"
            )

    @property
    def has_mask(self) -> bool:
        return bool(self.row["mask"])

    def text(self, *columns: str) -> str:
        """The first of these columns that holds something; empty where none does."""
        return next((self.row[c] for c in columns if self.row.get(c)), "")

    def name(self, side: Side) -> str:
        """The side's file in its split: `source/<id>.mp4`."""
        suffix = "mp4" if self._is_changed(side) else _suffix(self.row[f"{side}_video"])
        return f"{side}/{self.id}.{suffix}"

    @property
    def mask_name(self) -> str:
        return f"mask/{self.id}.{_suffix(self.row['mask'])}"

    def signed_for(self, side: Side) -> str:
        """The pair's id where this side gets its content credentials: the one that was generated;
        else empty."""
        return self.id if self.signed and self.row["generated_side"] == side else ""

    def video(self, side: Side, split: str) -> ExportFile:
        """One side's video, as it is or brought to its shape."""
        path, ref = f"{split}/{self.name(side)}", self.row[f"{side}_video"]
        pair_id = self.signed_for(side)
        if self._is_changed(side):
            had, shape = shape_of(self.row, side), self.shapes[side]
            return Encoded(path, ref, had, shape, signed_for=pair_id)
        return Original(path, ref, signed_for=pair_id)

    def videos(self, split: str) -> Iterator[ExportFile]:
        """Both sides."""
        yield self.video("source", split)
        yield self.video("target", split)

    def mask(self, split: str, white: White = "edited") -> ExportFile:
        """The mask track, of the target's shape; the catalog's are white where the edit is."""
        path, ref = f"{split}/{self.mask_name}", self.row["mask"]
        if white == "edited" and not self._is_changed("target"):
            return Original(path, ref, "mask")
        return Masks(path, ref, shape_of(self.row, "target"), self.shapes["target"], white)

    def _is_changed(self, side: Side) -> bool:
        return self.shapes[side] != shape_of(self.row, side)


class Split(Protocol):
    """The records of one split, in their order; they can be gone through several times."""

    name: str
    folder: Path
    """Absolute: where the split's files lie."""

    def __iter__(self) -> Iterator[ExportRecord]: ...


class Format(ABC):
    """How one consumer wants a dataset laid out.

    Each split is a folder of its own, complete in itself: paths in an index are relative to it.
    """

    name: str
    """What `editmill export` calls it."""
    reader: str
    """What loads it."""
    writes: str
    """The files of a split, in a few words."""
    needs: VideoNeeds
    notes: tuple[str, ...]
    """Sentences for the card: how to point the consumer at the folder, what white means …"""
    mask_notes: tuple[str, ...] = ()
    """More of these where a pair has a mask."""
    mask_writes: str = ""
    """More files of a split where a pair has a mask, in a few words."""
    has_videos: bool = True
    rows: Rows = "pairs"
    hub: str = ""
    """Which files of a split Hugging Face loads, as a pattern; empty where it is not the reader."""

    @abstractmethod
    def files(self, split: Split) -> Iterator[ExportFile]:
        """The files of one split, its index last; their paths begin with the split's name."""


class JsonListed(Format):
    """Folders of videos, and a JSON list with an entry a pair.

    Its loader asks every row for the same keys: with `mask_key`, pairs that have a mask are listed
    a second time, with it, in `<listing>_masked.json`. `white` is what white means in a mask.
    """

    listing: str = "metadata"
    mask_key: str = ""
    white: White = "edited"

    @abstractmethod
    def entry(self, record: ExportRecord) -> dict[str, Any]:
        """What the list says of a pair."""

    def files(self, split: Split) -> Iterator[ExportFile]:
        masked = False
        for record in split:
            yield from record.videos(split.name)
            if self.mask_key and record.has_mask:
                masked = True
                yield record.mask(split.name, self.white)
        yield json_list(f"{split.name}/{self.listing}.json", lambda: map(self.entry, split))
        if masked:
            yield json_list(
                f"{split.name}/{self.listing}_masked.json",
                lambda: (
                    {**self.entry(record), self.mask_key: record.mask_name}
                    for record in split
                    if record.has_mask
                ),
            )


class CsvListed(Format):
    """Folders of videos, and a CSV with a row a pair."""

    listing: str = "metadata.csv"
    """Its name; `{split}` is the split's."""
    header: tuple[str, ...]

    @abstractmethod
    def cells(self, record: ExportRecord) -> tuple[str, ...]:
        """A pair's row, in the order of the header."""

    def files(self, split: Split) -> Iterator[ExportFile]:
        for record in split:
            yield from record.videos(split.name)
        path = f"{split.name}/{self.listing.format(split=split.name)}"
        yield csv_table(path, self.header, lambda: map(self.cells, split))


def _suffix(ref: str) -> str:
    return ref.rpartition(".")[2]
