"""The files an export consists of. Each knows what it is made from and writes itself whole or not
at all, so that what lies under its name is finished.

Importing this costs nothing; codecs are imported by what needs them.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from catalog.errors import EditmillError
from catalog.export.shapes import Shape
from catalog.storage.files import beside, copy_file, replacing
from catalog.storage.media import is_whole

White = Literal["edited", "kept"]
"""What white means in a mask: the region that the edit makes, or the one it leaves alone."""

ROWS_AT_ONCE = 10_000
"""Rows of a Parquet table that are dictionaries at one time: some 50 MB."""


class Signs(Protocol):
    """Puts content credentials into a generated video (:mod:`catalog.export.credentials`)."""

    def sign(self, video: Path, out: Path, pair_id: str, *, transcoded: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class Media:
    """What files are made from: `path` gives the local file of a media reference, `credentials`
    sign what has a `signed_for`."""

    path: Callable[[str], Path]
    credentials: Signs | None = None

    def find(self, ref: str) -> Path:
        """The local file. Raises EditmillError where it is missing or its bytes are others than its
        name says: a decoder need not notice, and a copy or a link would hand the damage on.

        Whoever reads it next has it from memory: on the disk it is read once.
        """
        path = self.path(ref)
        if not path.is_file():
            what = "is missing"
        else:
            try:
                if is_whole(path, ref):
                    return path
                what = "is damaged (its SHA-256 is not the one in its name)"
            except OSError as error:
                what = f"cannot be read ({error.strerror})"
        raise EditmillError(f"{path}: {what}; restore it, or leave its pair out with --where")

    @property
    def signs(self) -> Signs:
        """The credentials of an export that has files to sign."""
        assert self.credentials is not None
        return self.credentials


class ExportFile(Protocol):
    """One file of an export at `path`, relative to its folder; `what` is how a summary counts it:
    `video`, `re-encoded video`, `mask`, `picture`, `shard` or `index`."""

    @property
    def path(self) -> str: ...

    @property
    def what(self) -> str: ...

    def write(self, final: Path, media: Media) -> None:
        """Make the file at `final`, whose folder is there. Raises EditmillError where something
        cannot be read or written."""
        ...


@dataclass(frozen=True, slots=True)
class Original:
    """A medium as the catalog has it: byte for byte, or with content credentials put in."""

    path: str
    ref: str
    what: str = "video"
    signed_for: str = ""
    """Id of the pair whose credentials it gets; empty: none."""

    def write(self, final: Path, media: Media) -> None:
        path = media.find(self.ref)
        with replacing(final) as temporary:
            if self.signed_for:
                media.signs.sign(path, temporary, self.signed_for)
            else:
                copy_file(path, temporary)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A video brought from the shape it `had` to `shape`."""

    path: str
    ref: str
    had: Shape
    shape: Shape
    what: str = "re-encoded video"
    signed_for: str = ""
    """Id of the pair whose content credentials it gets; empty: none."""

    def write(self, final: Path, media: Media) -> None:
        from catalog.export.conform import conformed_frames
        from catalog.media import write_video

        frames = conformed_frames(media.find(self.ref), self.had, self.shape)
        if not self.signed_for:
            write_video(final, frames, self.shape.fps)
            return
        with replacing(final) as temporary, beside(final) as encoded:
            write_video(encoded, frames, self.shape.fps)
            media.signs.sign(encoded, temporary, self.signed_for, transcoded=True)


@dataclass(frozen=True, slots=True)
class Masks:
    """A mask track brought to `shape`; the catalog's are white where the edit is."""

    path: str
    ref: str
    had: Shape
    shape: Shape
    white: White = "edited"
    what: str = "mask"

    def write(self, final: Path, media: Media) -> None:
        from catalog.export.conform import conformed_masks
        from catalog.media import write_masks

        masks = conformed_masks(media.find(self.ref), self.had, self.shape)
        write_masks(final, masks if self.white == "edited" else (~m for m in masks), self.shape.fps)


@dataclass(frozen=True, slots=True)
class Still:
    """One frame of a video as a PNG of `size` (height, width)."""

    path: str
    ref: str
    frame: int
    size: tuple[int, int]
    what: str = "picture"

    def write(self, final: Path, media: Media) -> None:
        from catalog.media import read_video
        from catalog.media.geometry import crop_resize
        from catalog.media.image import write_png

        frames = read_video(media.find(self.ref), first=self.frame, count=1)
        if not len(frames):
            path = media.path(self.ref)
            raise EditmillError(f"{path}: has no frame {self.frame}; restore the file")
        write_png(final, crop_resize(frames, self.size)[0])


@dataclass(frozen=True, slots=True)
class Text:
    """A text file of these pieces; `pieces` is called when the file is written. What is no Unicode
    (half of a surrogate pair, from JSON's escapes) becomes `?`."""

    path: str
    pieces: Callable[[], Iterable[str]]
    what: str = "index"

    def write(self, final: Path, media: Media) -> None:
        with (
            replacing(final) as temporary,
            temporary.open("w", encoding="utf-8", errors="replace", newline="") as file,
        ):
            file.writelines(self.pieces())


@dataclass(frozen=True, slots=True)
class Parquet:
    """A table as Parquet, with a row per dictionary; `rows` is called when the file is written.

    The columns that :func:`catalog.export.pairs.facts.column_types` knows have their type also
    where all of them are null, so that two splits have one schema.
    """

    path: str
    rows: Callable[[], Iterable[Mapping[str, Any]]]
    what: str = "index"

    def write(self, final: Path, media: Media) -> None:
        import polars as pl

        from catalog.export.pairs.facts import column_types

        types = column_types()
        parts = (
            pl.DataFrame(batch, schema_overrides=types, infer_schema_length=None)
            for batch in batched(self.rows(), ROWS_AT_ONCE)
        )
        with replacing(final) as temporary:
            pl.concat(parts, how="vertical_relaxed").write_parquet(temporary)


def json_list(path: str, entries: Callable[[], Iterable[Mapping[str, Any]]]) -> Text:
    """A JSON array, one entry a line."""

    def pieces() -> Iterable[str]:
        before = "[\n"
        for entry in entries():
            yield before + json.dumps(entry, ensure_ascii=False)
            before = ",\n"
        yield "\n]\n" if before == ",\n" else "[]\n"

    return Text(path, pieces)


def json_lines(path: str, entries: Callable[[], Iterable[Mapping[str, Any]]]) -> Text:
    """JSON Lines: one object a line."""
    return Text(path, lambda: (json.dumps(e, ensure_ascii=False) + "\n" for e in entries()))


def csv_table(
    path: str, header: Sequence[str], rows: Callable[[], Iterable[Sequence[str]]]
) -> Text:
    """A CSV with a header; quoted where a reader would otherwise split."""

    def pieces() -> Iterable[str]:
        yield _csv_line(header)
        yield from map(_csv_line, rows())

    return Text(path, pieces)


def _csv_line(row: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(row)
    return line.getvalue()


def batched(rows: Iterable[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    """The rows in lists of at most `size` (`itertools.batched` comes with Python 3.12)."""
    rest = iter(rows)
    while batch := list(itertools.islice(rest, size)):
        yield batch
