"""Giving back the space of what nothing in a catalog needs any more.

Collected are the selections that neither `main` nor a release needs, media that no row of any
selection or release names, the journal's products that name such media, and the data files that
only old versions of a table need, which no release pins. Nothing younger than a bound is touched:
between a medium and the row that names it lies the rest of its clip's way through the build. And
nothing is touched while a build runs, which may find an old product and name its media anew.

Memory: up to 150 bytes for each medium there is, 1.5 GB for ten million. Everything goes through
:class:`Storage`; tables are read one at a time, of each the columns that name media.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import islice

from catalog.keeping.references import MEDIA_COLUMNS, compact, named_media, owner_of, scans, states
from catalog.layout import Selection, main_of, releases_in
from catalog.products import Products
from catalog.records import TABLES
from catalog.releases import MAIN, Catalog
from catalog.storage.location import Storage, Versioned
from catalog.tables import SHARED

OLDER_THAN = 7 * 24.0
"""Hours that media and selections stay at least. A build that is continued within a week finds all
it made; what it does not find it makes again."""

DELETED_AT_ONCE = 500
"""Objects deleted between two looks whether a build has begun: less than a second's work, and a
build takes longer than that to make its first medium."""


DIGEST_BYTES = 32  # of a SHA-256

_FOLDERS = tuple(f"media/{number:02x}" for number in range(256))
"""One at a time, so that not all media are listed at once."""


@dataclass(slots=True)
class Collected:
    """What was removed, or would be."""

    selections: list[str] = field(default_factory=list)  # names; "": what was of format 1
    media: int = 0
    bytes: int = 0  # of those media
    products: int = 0  # of the journal, that name them
    kept: int = 0  # media that something names
    young: int = 0  # media that nothing names yet

    def removed(self) -> str:
        """`3 media (12 MiB), 4 products of the journal that name them`."""
        gone = f"{self.media} media ({_size(self.bytes)})"
        if self.products:
            gone += f", {self.products} products of the journal that name them"
        if self.selections:
            names = ", ".join(name or "that of format 1" for name in self.selections)
            gone += f", {len(self.selections)} selections ({names})"
        return gone


def _size(count: int) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count //= 1024
    return f"{count:.0f} GiB"


def collect(
    storage: Storage,
    *,
    older_than: float = OLDER_THAN,
    dry_run: bool = False,
    check: Callable[[], None] = lambda: None,
) -> Collected:
    """Remove what nothing needs and is older than `older_than` hours; say what it was.

    `check` is called before every batch of removals. It raises where a build has begun: then the
    rest stays, and the catalog is whole. Interrupted anywhere and run again, it goes on.
    """
    before = time.time() - 3600 * older_than
    done = Collected(selections=_unneeded(storage, before))
    garbage = _garbage(storage, before, done)
    products = Products(storage)
    digests = {d.hex() for d in garbage if len(d) == DIGEST_BYTES}
    found = products.naming(digests) if digests else {}
    done.products = sum(len(own) for own in found.values())
    if dry_run:
        return done
    for name in done.selections:
        check()
        _remove_selection(storage, name)
    check()
    products.drop(found)  # before their media: a build must not find one without
    # A build that began and ended meanwhile may name some of them by now.
    garbage -= _named(storage, done.selections)
    for folder in _FOLDERS:
        keys = (each.key for each in storage.list(folder) if compact(each.key) in garbage)
        while batch := list(islice(keys, DELETED_AT_ONCE)):
            check()
            storage.delete(batch)
    for name in sorted({state.tables.selection for state in states(storage)}):
        check()
        Catalog(storage, MAIN, Selection(name)).compact()
    if isinstance(storage, Versioned):
        storage.commit("Collect garbage", {})
    return done


def _garbage(storage: Storage, before: float, done: Collected) -> set[bytes]:
    """Media (see :func:`compact`) that no row names, written before that time; counts them all."""
    named, garbage = _named(storage, done.selections), set[bytes]()
    for folder in _FOLDERS:
        for each in storage.list(folder):
            medium = compact(each.key)
            if medium in named:
                done.kept += 1
            elif each.modified > before:
                done.young += 1
            else:
                garbage.add(medium)
                done.media += 1
                done.bytes += each.size
    return garbage


def _named(storage: Storage, without: Collection[str]) -> set[bytes]:
    """The media that a row of any state of the tables names, but for these selections."""
    every = [each for each in states(storage) if each.tables.selection not in without]
    return {
        compact(reference)
        for table in MEDIA_COLUMNS
        for _, frame in scans(every, table)
        for reference in named_media(frame, table)
    }


def _remove_selection(storage: Storage, name: str) -> None:
    """Its tables, and at last its document, so that an interrupted removal is found again."""
    of_format_1 = [f"tables/{table}" for table in TABLES if table not in SHARED]
    for folder in [f"tables/{name}"] if name else of_format_1:
        storage.delete([each.key for each in storage.list(folder)])
    if name:
        storage.delete([each.key for each in storage.list(f"selections/{name}")])
        storage.delete([Selection(name).key])


def _unneeded(storage: Storage, before: float) -> list[str]:
    """The selections that neither `main` nor a release needs, and that nothing was written to
    since `before`."""
    newest: dict[str, float] = defaultdict(float)
    for each in storage.list("selections"):
        newest[each.key.split("/")[1].removesuffix(".json")] = each.modified
    for each in storage.list("tables"):
        owner = owner_of(each.key)
        if owner is not None:
            newest[owner] = max(newest[owner], each.modified)
    needed = {main_of(storage)[0].name, *(each.selection for each in releases_in(storage))}
    return sorted(name for name, at in newest.items() if name not in needed and at <= before)
