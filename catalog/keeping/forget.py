"""Taking a source out of a catalog: it, and all that came of it.

What came of a source are its clips, their tracks and plans, the pairs and local edits made of them,
and every pair or local edit of other footage that shows a part of it: a swap's donor, a pasted
mask; with the labels of all these pairs. A document per source, `forgotten/<source>.json`, is
written before anything is removed. It names what is to go, so that an interrupted forgetting is
finished by the next one, and ingest refuses a file of that content, whatever its name.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from catalog.delta.writing import PART
from catalog.errors import EditmillError
from catalog.keeping.references import (
    MEDIA_COLUMNS,
    REFERENCE,
    SelectionState,
    compact,
    named_media,
    scans,
    states,
)
from catalog.layout import document, parsed
from catalog.products import Products
from catalog.records import Source, from_row, key_column
from catalog.storage.location import Storage
from catalog.tables import SHARED, Tables

FOLDER = "forgotten"

DELETED_AT_ONCE = 1000
"""Media deleted between two looks whether to go on; a bucket's limit for one request, too."""

NEAR = 3
"""Names that are suggested for a wrong one, at most."""


@dataclass(slots=True)
class Forgotten:
    """A source that was taken out, or is being, and what came of it at any ref."""

    source_id: str  # the SHA-256 of its content
    names: list[str]  # all it was known by: names and URIs
    at: str = ""  # ISO 8601, UTC: when it was forgotten first; empty as long as it is not
    clips: list[str] = field(default_factory=list)  # ids
    plans: list[str] = field(default_factory=list)  # ids, of other clips' too
    labelled: list[str] = field(default_factory=list)  # ids of the pairs that people labelled
    media: list[str] = field(default_factory=list)  # references
    erased: bool = False  # whether its media were removed


@dataclass(frozen=True, slots=True)
class Removal:
    """What forgetting takes out of the newest state of all selections, and who still names it."""

    rows: dict[str, int]  # table → rows
    releases: dict[str, int]
    """Tag of a release that names the source → the pairs and local edits in it that came of it."""


def forgotten_sources(storage: Storage) -> frozenset[str]:
    """The ids of all sources that a build must refuse."""
    keys = (each.key for each in storage.list(FOLDER))
    return frozenset(key.removeprefix(f"{FOLDER}/").removesuffix(".json") for key in keys)


def find(storage: Storage, wanted: str) -> Forgotten:
    """The source of that id, the only one whose id begins so, or of that name or URI; with what was
    noted if it was forgotten before.

    Raises EditmillError, with the nearest names, where there is none, or several.
    """
    known = _known(storage)
    named = [each for each in known.values() if wanted == each.source_id or wanted in each.names]
    found = named or [s for s in known.values() if wanted and s.source_id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(sorted(each.source_id[:12] for each in found))
        raise EditmillError(
            f"{wanted!r}: the name, or the beginning of the id, of {len(found)} sources; "
            f"name one by its id: {ids}"
        )
    names = sorted({name for each in known.values() for name in each.names})
    near = difflib.get_close_matches(wanted, names, NEAR, 0.5) or names[:NEAR]
    there = f"; there are: {', '.join(near)}" if near else ""
    raise EditmillError(
        f"{wanted!r}: no source has this name, URI or id{there} (`editmill query "
        '"select source_id, name from sources"` lists all)'
    )


def trace(storage: Storage, source: Forgotten) -> Removal:
    """Add to `source` what came of it in any state of the tables; tell what forgetting removes."""
    every = states(storage)
    source.clips = _with_ids(source.clips, every, "clips", rows_of(source)["clips"])
    source.plans = _with_ids(source.plans, every, "plans", rows_of(source)["plans"])
    source.labelled = _labelled(source.labelled, every, rows_of(source)["pairs"])
    doomed, media = rows_of(source), set(source.media)
    for table in MEDIA_COLUMNS:
        for _, frame in scans(every, table):
            media |= named_media(frame.filter(doomed[table]), table)
    source.media = sorted(media)
    newest = [state.tables for state in every if state.release is None]
    counts = {
        table: sum(_count(each, table, rows) for each in newest[: 1 if table in SHARED else None])
        for table, rows in doomed.items()
    }
    naming = {
        state.release.tag: sum(_count(state.tables, t, doomed[t]) for t in ("pairs", "local_edits"))
        for state in every
        if state.release is not None and _count(state.tables, "sources", doomed["sources"])
    }
    return Removal({table: count for table, count in counts.items() if count}, naming)


def rows_of(source: Forgotten) -> dict[str, pl.Expr]:
    """Per table, which rows came of the source; true, false or null."""
    ids = [source.source_id, *source.clips]
    own = pl.col("source_id") == source.source_id
    of_clip = pl.col("clip_id").is_in(source.clips)
    uses = pl.col("params").str.contains_any(ids)  # a swap's donor, a pasted mask
    return {
        "labels": pl.col("pair_id").is_in(source.labelled),
        "pairs": own | of_clip | uses,
        "local_edits": own | of_clip | uses,
        "failures": _named_by_failure(source),
        "plans": of_clip | uses,
        "tracks": of_clip,
        "clips": own,
        "sources": own,
    }


def remember(storage: Storage, source: Forgotten) -> None:
    """From now on builds refuse the source."""
    if not source.at:
        source.at = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps(dataclasses.asdict(source), sort_keys=True, ensure_ascii=False)
    storage.write(f"{FOLDER}/{source.source_id}.json", text.encode())


def take_out(storage: Storage, source: Forgotten) -> None:
    """Remove what came of the source from the newest state of every selection.

    The row in `sources` goes last. No request of a build counts as carried out any more.
    """
    for state in states(storage):
        if state.release is None:
            for table, doomed in rows_of(source).items():
                if table == "failures":  # of edits that were drawn and never made, too
                    doomed |= pl.col(PART).str.contains_any(source.clips)
                state.tables.remove(table, doomed)
    for folder in ("work/build", "work/format-1/build"):
        storage.delete([each.key for each in storage.list(folder)])


def erase(
    storage: Storage,
    source: Forgotten,
    check: Callable[[], None] = lambda: None,
    kept: Callable[[str], bool] = lambda reference: False,
) -> int:
    """Delete the media that only forgotten rows name, whichever ref shows those, and the products
    of the journal that name them, the source or its clips; return how many media there were.

    `check` is called before each batch, and may raise. Media that are `kept` stay too. Done again,
    it goes on.
    """
    products = Products(storage)
    digests = {compact(reference).hex() for reference in source.media}
    found = products.naming({source.source_id, *source.clips, *digests})
    # Also what was made of its clips and is named by no row. Noted first: then it may end anywhere.
    source.media = sorted({*source.media, *re.findall(REFERENCE, json.dumps(found))})
    remember(storage, source)
    gone = sorted(m for m in {*source.media} - _surviving(storage, source) if not kept(m))
    check()
    digests = {compact(reference).hex() for reference in gone}
    products.drop(products.naming({source.source_id, *source.clips, *digests}))
    there = [reference for reference in gone if storage.exists(reference)]
    for start in range(0, len(gone), DELETED_AT_ONCE):
        check()
        storage.delete(gone[start : start + DELETED_AT_ONCE])
    source.erased = True
    remember(storage, source)
    return len(there)


def _surviving(storage: Storage, source: Forgotten) -> set[str]:
    """Those of the source's media that other rows name too, at any ref. Releases still have rows of
    sources that were erased before; these do not count."""
    erased = [each for each in noted(storage) if each.erased or each.source_id == source.source_id]
    every, surviving = states(storage), set[str]()
    for table in MEDIA_COLUMNS:
        doomed = pl.any_horizontal(rows_of(each)[table].fill_null(False) for each in erased)
        for _, frame in scans(every, table):
            others = named_media(frame.filter(~doomed), table)
            surviving |= others.intersection(source.media)
    return surviving


def noted(storage: Storage) -> list[Forgotten]:
    """The sources that were forgotten, or are being."""
    documents = ((each.key, document(storage, each.key)) for each in storage.list(FOLDER))
    return [parsed(storage, key, Forgotten, text) for key, text in documents if text is not None]


def _known(storage: Storage) -> dict[str, Forgotten]:
    """Every source that any ref shows, or that was forgotten, by its id."""
    known = {each.source_id: each for each in noted(storage)}
    for _, frame in scans(states(storage), "sources"):
        for row in frame.collect().iter_rows(named=True):
            source = from_row(Source, row)
            one = known.setdefault(source.source_id, Forgotten(source.source_id, []))
            one.names = list(dict.fromkeys([*one.names, source.name, *source.names, source.uri]))
    return known


def _named_by_failure(source: Forgotten) -> pl.Expr:
    """A failure's record is a file's name, a clip's id, or ends with a plan's id."""
    file = pl.col("stage").is_in(["fetch", "look", "ingest"]) & pl.col("record").is_in(source.names)
    last = pl.col("record").str.split(" ").list.last()
    return file | last.is_in([*source.clips, *source.plans])


def _with_ids(
    known: list[str], every: list[SelectionState], table: str, doomed: pl.Expr
) -> list[str]:
    """These ids, and those of the table's doomed rows in any state; sorted."""
    key, ids = key_column(table), set(known)
    for _, frame in scans(every, table):
        ids.update(frame.filter(doomed).select(key).collect()[key])
    return sorted(ids)


def _labelled(known: list[str], every: list[SelectionState], doomed: pl.Expr) -> list[str]:
    """These ids, and those of the doomed pairs in any state that have a label now; sorted."""
    tables, ids = every[0].tables, set(known)
    if tables.version("labels") is not None:
        labels = tables.scan("labels")
        for _, frame in scans(every, "pairs"):
            pairs = frame.filter(doomed).join(labels, on="pair_id", how="semi")
            ids.update(pairs.select("pair_id").collect()["pair_id"])
    return sorted(ids)


def _count(tables: Tables, table: str, rows: pl.Expr) -> int:
    return int(tables.scan(table).filter(rows).select(pl.len()).collect().item())
