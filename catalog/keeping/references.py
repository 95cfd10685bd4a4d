"""What a catalog's refs hold: each state of the tables that a selection or a release shows, and the
media that its rows name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from catalog.errors import EditmillError
from catalog.layout import main_of, release_key, releases_in
from catalog.records import TABLES, Release
from catalog.storage.location import Storage
from catalog.tables import SHARED, Tables

MEDIA_COLUMNS = {
    "sources": ("media",),
    "clips": ("video", "background"),
    "tracks": ("masks",),
    "plans": ("params",),  # a swap's donor
    "pairs": ("source_video", "target_video", "mask", "params"),
    "local_edits": ("video", "mask", "params"),
}
"""Columns that are media references, or JSON with some within."""

REFERENCE = r"media/[0-9a-f]{2}/[0-9A-Za-z_-]{1,64}\.[0-9a-z]{1,8}"

_DIGEST = re.compile(r"media/[0-9a-f]{2}/([0-9a-f]{64})\.[0-9a-z]+")


@dataclass(frozen=True, slots=True)
class SelectionState:
    """The tables of one selection, at a release's versions or as they are now."""

    tables: Tables
    newest: Tables
    """The same ones as they are now; each is opened once for all states."""
    release: Release | None = None


def states(storage: Storage) -> list[SelectionState]:
    """The newest state of every selection's tables, then every release's."""
    names = selections(storage) | {main_of(storage)[0].name}
    every = {name: Tables(storage, name) for name in sorted(names)}
    found = [SelectionState(tables, tables) for tables in every.values()]
    for each in releases_in(storage):
        newest = every.setdefault(each.selection, Tables(storage, each.selection))
        held = newest.pinned_at(each.tables, each.without)
        found.append(SelectionState(held, newest, each))
    return found


def selections(storage: Storage) -> set[str]:
    """The names of all selections there are; the empty one's tables are those of format 1."""
    named = {each.key.split("/")[1].removesuffix(".json") for each in storage.list("selections")}
    owners = {owner_of(each.key) for each in storage.list("tables")}
    return named | {owner for owner in owners if owner is not None}


def owner_of(key: str) -> str | None:
    """The selection whose table the object `tables/…` belongs to; None for the whole catalog's."""
    first = key.split("/")[1]
    if first in SHARED or first == "releases":
        return None
    return "" if first in TABLES else first


def scans(every: list[SelectionState], table: str) -> Iterator[tuple[SelectionState, pl.LazyFrame]]:
    """The table in each state in which it exists. What is the same in several comes once.

    Raises EditmillError where the table of a release is gone: it is not taken for an empty one.
    """
    seen = set()
    for state in every:
        version = state.tables.version(table)
        place = state.tables.selection, version, tuple(state.tables.without)
        if version is not None and place not in seen:
            seen.add(place)
            if state.release is not None:
                _refuse_if_gone(state, table)
            yield state, state.tables.scan(table)


def _refuse_if_gone(state: SelectionState, table: str) -> None:
    storage, selection = state.tables.storage, state.tables.selection
    assert state.release is not None
    if state.newest.version(table) is None:
        tag = state.release.tag
        raise EditmillError(
            f"{storage.uri}: the table {table} of release {tag!r} is gone; restore "
            f"tables/{selection} from a copy, or remove {release_key(tag)}"
        )


def named_media(frame: pl.LazyFrame, table: str) -> set[str]:
    """The media references in the rows of a table, or of some of them."""
    if table not in MEDIA_COLUMNS:
        return set()
    text = pl.concat_str(MEDIA_COLUMNS[table], separator=" ", ignore_nulls=True)  # ends a reference
    named = frame.select(media=text.str.extract_all(REFERENCE).explode().unique())
    return set(named.drop_nulls().collect()["media"])


def compact(reference: str) -> bytes:
    """The reference in 32 bytes, its SHA-256, or in as many as it has."""
    found = _DIGEST.fullmatch(reference)
    return bytes.fromhex(found[1]) if found else reference.encode()
