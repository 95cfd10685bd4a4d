"""Opening a catalog at a ref."""

from __future__ import annotations

import copyreg
import json
from collections.abc import Callable
from pathlib import Path

from catalog.delta.integrity import damaged, newest
from catalog.delta.object_integrity import damaged_object
from catalog.errors import EditmillError
from catalog.layout import (
    FORMAT,
    MARKER,
    Selection,
    document,
    format_of,
    main_of,
    release_of,
    releases_in,
)
from catalog.policy import Policy
from catalog.records import Release
from catalog.releases import MAIN, Catalog
from catalog.releases.pins import all_there, commit_key
from catalog.storage import storage_at
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage, Versioned
from catalog.tables import VERSIONED, place_of


def open(root: str | Path | Storage, ref: str = MAIN, create: bool = False) -> Catalog:
    """The catalog at `root` (a folder, `s3://…`, `lakefs://…`) at `ref`: `main`, or a release's
    tag.

    `create` makes an empty one where there is none. Raises EditmillError where `root` is no
    catalog, nor what can name one, is of a newer format, or does not know `ref`.
    """
    storage = storage_at(root)
    if create and storage.read(MARKER) is None and not any(storage.list("tables")):
        storage.create(MARKER, json.dumps({"format": FORMAT}).encode())
        if isinstance(storage, Versioned):  # branches start from what is committed
            storage.commit("Begin a catalog", {})
    layout = format_of(storage)
    if ref == MAIN:
        selection, policy = main_of(storage)
        if not create:
            _refuse_if_lost(storage)
        _refuse_if_behind(storage, selection, layout)
        return Catalog(storage, ref, selection, policy, layout=layout)
    release = release_of(storage, ref, layout)
    if release is None:
        known = ", ".join([MAIN, *(r.tag for r in releases_in(storage, layout))])
        raise EditmillError(f"{storage.uri}: has no ref {ref!r}; there are {known}")
    policy = Policy.from_document(release.policy) if release.policy else None
    selection = Selection(
        release.selection, release.recipe, release.code, "", tuple(release.decided_by)
    )
    return Catalog(storage, ref, selection, policy, release, layout)


def _reopened(opened: Catalog) -> tuple[Callable[[str, str], Catalog], tuple[str, str]]:
    """How a pickled catalog comes back, in a DataLoader's worker for one: it is opened anew."""
    return open, (opened.address, opened.ref)


copyreg.pickle(Catalog, _reopened)


def _refuse_if_lost(storage: Storage) -> None:
    if not isinstance(storage, FolderStorage):
        return
    tables = storage.root / "tables"
    if not tables.exists() and any(storage.list("media")):  # not only its folder of drafts
        raise EditmillError(
            f"{storage.uri}: has media but no tables; restore {tables} from a copy, or build "
            "again: the rows are written from what the build remembers"
        )


def _refuse_if_behind(storage: Storage, selection: Selection, layout: int) -> None:
    """A table that is older than a release holds it has lost its newest commits: nothing in its own
    folder tells.

    Where what is noted of all releases is there, none of them is read: some hundred take seconds in
    a bucket. Else they tell, so that one that somebody removed does not count.
    """
    noted = document(storage, selection.held) if selection.name else None
    if noted is not None and all_there(storage, selection, noted):
        return
    own = [r for r in releases_in(storage, layout) if r.selection == selection.name]
    if not isinstance(storage, FolderStorage):
        _refuse_if_commits_lack(storage, selection, own)
        return
    for table in VERSIONED:
        path = storage.root / "tables" / place_of(selection.name, table)
        held = {r.tables[table]: r.tag for r in own if table in r.tables}
        last = newest(path)
        if held and (last is None or last < max(held)):
            lost = "is missing" if last is None else f"ends at version {last}"
            raise damaged(
                path, f"{lost}, but release {held[max(held)]!r} holds version {max(held)}"
            )


def _refuse_if_commits_lack(
    storage: Storage, selection: Selection, releases: list[Release]
) -> None:
    """As above: the newest commit that a release holds of each table must be there."""
    newest_pins: dict[str, int] = {}
    for release in releases:
        for table, version in release.tables.items():
            newest_pins[table] = max(version, newest_pins.get(table, -1))
    for table, version in sorted(newest_pins.items()):
        commit = commit_key(selection.name, table, version)
        if not storage.exists(commit):
            raise damaged_object(storage, commit, "is missing, and a release holds it")
