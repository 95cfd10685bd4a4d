"""`export`: a catalog at a ref becomes a folder that a consumer's own loader reads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from catalog.credentials import SigningIdentity
from catalog.errors import EditmillError
from catalog.export.card import DatasetCard, card
from catalog.export.credentials import Credentials, Documents, identity_for
from catalog.export.files import ExportFile, Media, Text, json_lines
from catalog.export.format import ExportRecord, Format
from catalog.export.pairs.selection import ExportSelection, select
from catalog.export.pairs.splits import MADE_OF, with_splits
from catalog.export.placing import Placed, place, sweep_all
from catalog.export.shapes import Side, shape_of
from catalog.keeping.erased import kept_path
from catalog.keys import digest
from catalog.provenance import provenances
from catalog.releases import Catalog
from catalog.storage.files import sweep, write_bytes
from catalog.storage.folder import FolderStorage, refuse_inside

STATE = ".editmill-export.json"
"""What the folder is an export of; hidden, since loaders look through the folder."""

PAIR_IDS = ("pair_id", "rejected_pair_id")
"""Columns that name the pairs of a record."""

WHOLE = {"train": 1.0}

_FIGURES = cs.matches("^(source_|target_)?(frames|fps|width|height)$").cast(pl.Float64)

HAS_SHAPE = pl.all_horizontal((_FIGURES.is_finite() & (_FIGURES > 0)).fill_null(False))
"""Of a row: whether each of its videos has a frame count, a rate and a size."""

_SLICE = 1000
"""Rows turned into records together."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds and what was done for it now."""

    format: str
    reader: str
    ref: str
    out: str
    splits: dict[str, int]  # records
    empty: list[str]  # splits that no source fell into
    left_out: dict[str, int]  # reason → records
    files: dict[str, int]  # kind → files
    signed: int  # videos with content credentials, those in shards too
    made: int  # of the files, now; 0 where all were there
    linked: int  # of these, as hard links to the catalog's media
    bytes: int  # of all files


@dataclass(slots=True)
class _Split:
    """:class:`catalog.export.format.Split` of a frame."""

    name: str
    folder: Path
    frame: pl.DataFrame
    format: Format
    signed: bool

    @property
    def pair_ids(self) -> pl.Series:
        """Of all its pairs, the rejected ones of preferences too; sorted."""
        ids = [self.frame[name] for name in PAIR_IDS if name in self.frame.columns]
        return pl.concat(ids).unique().sort()

    @property
    def provenance(self) -> str:
        """Where the pairs' documents lie: in a folder of their own, since loaders look through the
        splits' folders."""
        return f"provenance/{self.name}.jsonl"

    def __iter__(self) -> Iterator[ExportRecord]:
        for part in self.frame.iter_slices(_SLICE):
            for row in part.iter_rows(named=True):
                shapes = _shapes(row, self.format) or {}
                yield ExportRecord(row[self.frame.columns[0]], row, shapes, self.signed)


def export(
    dataset: Catalog,
    format: Format,
    out: Path,
    *,
    where: str | None = None,
    splits: Mapping[str, float] = WHOLE,
    link: bool = True,
) -> Exported:
    """Export what `dataset` holds to the folder `out` in `format`.

    `where` chooses rows (:func:`catalog.export.pairs.selection.select`), `splits` are names and
    shares by source. Without `link` media are always copied. Generated videos are copies with
    content credentials, unless the recipe wants none (:mod:`catalog.export.credentials`).
    Interrupted, the same call goes on; finished, it finds nothing to do.

    Raises EditmillError for a bad condition, an empty selection, a folder that holds something
    else or lies inside the catalog, a medium that is missing or damaged, what cannot be signed, and
    what cannot be written.
    """
    refuse_inside(dataset.storage, out)
    selection = select(dataset, format.rows, where)
    frame, left_out = _fitting(with_splits(selection.frame, splits), format)
    signer = identity_for(dataset.selection.recipe, format)
    state = _state(dataset, format, selection, where, splits, signer)
    _claim(out, state)
    parts = [
        _Split(
            name, out.absolute() / name, frame.filter(split=name), format, signer is not None
        )
        for name in splits
    ]  # fmt: skip
    parts = [part for part in parts if len(part.frame)]
    path = kept_path(dataset.media)
    media = Media(path)
    placed = Placed()
    if format.rows != "local_edits":  # before the videos, which are signed with what it says
        placed = place((_provenance(dataset, part) for part in parts), out, media, link=False)
    if signer is not None:
        documents = [Documents(out / part.provenance, part.pair_ids) for part in parts]
        media = Media(path, Credentials(signer, documents))
    files = (file for part in parts for file in format.files(part))
    placed.add(place(files, out, media, link=link and _is_folder(dataset)))
    counts = {part.name: len(part.frame) for part in parts}
    held = dict(placed.kinds + Counter(index=1))  # this card too
    text = card(
        DatasetCard(
            dataset, format, frame, where, dict(splits), counts, left_out, held, digest(state),
            placed.signed, signer,
        )
    )  # fmt: skip
    placed.add(place([Text("README.md", lambda: [text])], out, media, link=False))
    empty = [name for name in splits if name not in counts]
    return _summary(dataset, format, out, counts, empty, left_out, placed)


def _provenance(dataset: Catalog, part: _Split) -> ExportFile:
    """A document per pair."""
    pairs = dataset.pairs().filter(pl.col("pair_id").is_in(part.pair_ids.to_list()))
    return json_lines(part.provenance, lambda: provenances(dataset, pairs.sort("pair_id")))


def _shapes(row: Mapping[str, Any], format: Format) -> dict[Side, Any] | None:
    """The shapes of a pair's sides in the export; None where it does not fit."""
    if format.rows == "local_edits":
        return {}
    fitted = format.needs.fitted(shape_of(row, "source"), shape_of(row, "target"))
    return None if fitted is None else dict(zip(("source", "target"), fitted, strict=True))


def _fitting(frame: pl.DataFrame, format: Format) -> tuple[pl.DataFrame, dict[str, int]]:
    """The rows that can be exported, and how many are left out by reason."""
    left_out: Counter[str] = Counter()
    mixed = frame["split"].is_null()
    if mixed.any():
        left_out["made of sources of two splits"] = int(mixed.sum())
        frame = frame.filter(~mixed)
    odd = frame.filter(~HAS_SHAPE)
    if len(odd):
        left_out[f"without a size or rate that is a number above 0 (first: {odd[0, 0]})"] = len(odd)
        frame = frame.filter(HAS_SHAPE)
    if format.rows != "local_edits":
        figures = frame.select(cs.ends_with("_frames", "_fps", "_width", "_height"))
        fits = pl.Series(
            [_shapes(row, format) is not None for row in figures.iter_rows(named=True)],
            dtype=pl.Boolean,
        )
        if not fits.all():
            left_out[f"too short or too small ({format.needs})"] = int((~fits).sum())
            frame = frame.filter(fits)
    if not len(frame):
        raise EditmillError(
            f"{format.name}: every record is left out: "
            + "; ".join(f"{n} {reason}" for reason, n in left_out.items())
        )
    return frame.drop(MADE_OF), dict(left_out)


def _state(
    dataset: Catalog,
    format: Format,
    selection: ExportSelection,
    where: str | None,
    splits: Mapping[str, float],
    signer: SigningIdentity | None,
) -> dict[str, Any]:
    return {
        "format": format.name,
        "needs": str(format.needs),
        "ref": dataset.ref,
        "where": where or "",
        "splits": dict(splits),
        "selection": selection.digest,
        "certificate": "" if signer is None else signer.sha256,
    }


def _claim(out: Path, state: dict[str, Any]) -> None:
    """Make `out` the folder of this export, or go on with it. Raises EditmillError where it holds
    another one, or anything else."""
    marker = out / STATE
    sweep(out)  # of one that was killed before its marker was there
    try:
        there = json.loads(marker.read_bytes())
    except FileNotFoundError:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise EditmillError(
                f"{out}: is not empty and no export; name a new or an empty folder"
            ) from None
        write_bytes(marker, json.dumps(state, indent=1).encode())
        return
    except (OSError, ValueError, RecursionError) as error:
        raise EditmillError(f"{marker}: cannot be read ({error}); name a new folder") from None
    if not isinstance(there, dict):
        raise EditmillError(f"{marker}: says no export; name a new folder")
    if there != state:
        differs = [key for key in state if there.get(key) != state[key]]
        what = "other rows" if differs == ["selection"] else f"another {differs[0]}"
        raise EditmillError(
            f"{out}: holds an export of {what} ({there.get('format')} of {there.get('ref')}"
            f"{', where ' + there['where'] if there.get('where') else ''}); name another folder"
        )
    sweep_all(out)


def _is_folder(dataset: Catalog) -> bool:
    """Whether the catalog's media are files of a folder, so that they can be linked to: a link to
    the copy in a cache would let the two change each other."""
    return isinstance(dataset.storage, FolderStorage)


def _summary(
    dataset: Catalog,
    format: Format,
    out: Path,
    counts: dict[str, int],
    empty: list[str],
    left_out: dict[str, int],
    placed: Placed,
) -> Exported:
    return Exported(
        format.name,
        format.reader,
        dataset.ref,
        str(out),
        counts,
        empty,
        left_out,
        dict(sorted(placed.kinds.items())),
        placed.signed,
        placed.made,
        placed.linked,
        placed.bytes,
    )
