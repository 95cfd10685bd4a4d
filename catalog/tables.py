"""The catalog's tables: Delta Lake, rows derived from the records, written in parts.

A part is all that one clip, source or stage gave. Writing parts that are there already writes
nothing and reads no row; new ones are appended in one commit; a part that changed is replaced in
one commit. So a table's version says whether its content moved, and its cost follows what is new.
Writers need no lock: Delta's commits are optimistic, and a writer that lost the race looks again
and retries. Old versions are kept for ever unless :meth:`Tables.compact` removes them, and that
keeps every version a release pins.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
from deltalake import DeltaTable

from catalog.delta import commits, writing
from catalog.delta.commits import Commit
from catalog.delta.contention import committed
from catalog.delta.disk_dict import DiskDict
from catalog.delta.parts import EMPTY, MANY_COMMITS, fingerprint
from catalog.delta.rows import as_read, columns, completed, frame_of, refuse_other_types, rows_of
from catalog.delta.table import OpenTable, StoredTable
from catalog.delta.writing import PART, WRITER
from catalog.errors import EditmillError
from catalog.records import TABLES, from_row, key_column, schema
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage, Versioned
from catalog.storage.presence import Presence

KEEP_HOURS = 24
"""Files of unpinned old versions stay this long, for readers that still have them open."""

REMOVED_AT_ONCE = 5000
"""Rows that one commit removes by their keys: a predicate of more takes long to plan."""

VERSIONED = tuple(table for table in TABLES if table != "releases")
"""All but what is a document each."""

SHARED = ("trained", "labels")
"""Tables of the whole catalog; all others are a selection's own."""

T = TypeVar("T")


class Tables:
    """The tables of one selection, named as in :data:`catalog.records.TABLES`, but `releases`.

    `selection` names them within the catalog; the empty one's lie at `tables/<table>`, as they did
    in catalogs of format 1. `pinned` maps each table to the Delta version a release holds: then
    exactly these are read, without the parts `without`, and every write raises EditmillError.
    """

    def __init__(
        self,
        storage: Storage | str | Path,
        selection: str = "",
        pinned: Mapping[str, int] | None = None,
        without: Collection[str] = (),
    ) -> None:
        local = isinstance(storage, str | Path)
        self.storage: Storage = FolderStorage(storage) if local else storage  # type: ignore[assignment,arg-type]
        self.selection = selection
        self.pinned = pinned
        self.without = sorted(without)
        self._written: dict[str, DiskDict] = {}  # fingerprints by table and part
        self._tables: dict[str, StoredTable] = {}
        self._lock = threading.RLock()  # writers of one process wait instead of losing races
        self.presence = Presence(self.storage)

    def pinned_at(self, versions: Mapping[str, int], without: Collection[str]) -> Tables:
        """The same tables as a release holds them; what is open here is not opened again."""
        held = Tables(self.storage, self.selection, versions, without)
        held._tables, held._lock = self._tables, self._lock
        held.presence = self.presence
        return held

    def put(
        self,
        table: str,
        parts: Mapping[str, Iterable[Any]],
        derive: Callable[[pl.LazyFrame], pl.LazyFrame] | None = None,
    ) -> int:
        """Make the rows of each part exactly these records; return how many rows were written.

        Of several records with one key (their first field) the last counts. `derive` sets columns
        that follow from others (a pair's verdict): where nothing else changed, nothing is written.
        A field the table does not have yet becomes a column, null in older rows. Raises
        EditmillError where the table cannot be written or is read-only.
        """
        rows = {part: rows_of(_known(table), records) for part, records in parts.items()}
        wanted = {part: fingerprint(own) for part, own in rows.items()}

        def attempt() -> int:
            stored = self._at(table)
            # No row is read, so no file must be whole.
            delta: DeltaTable | None = self._open(table, check=False)
            if delta is None and any(value != EMPTY for value in wanted.values()):
                stored.refuse_if_unwritable()
                delta = stored.create(columns(table))  # or another writer did, and wrote to it
            if delta is None:
                return 0
            refuse_other_types(table, stored.uri, pl.Schema(delta.schema()), writing=True)
            known = stored.parts(delta).of(wanted, delta.version())
            stale = {p: value for p, value in wanted.items() if known.get(p, EMPTY) != value}
            if not stale:
                return 0
            frame = frame_of(table, {part: rows[part] for part in stale})
            if derive is not None:
                frame = derive(frame.lazy()).collect()
            stored.refuse_if_unwritable(frame.estimated_size())
            if any(known.get(part, EMPTY) != EMPTY for part in stale):
                writing.replace(delta, frame, stale)
            else:
                writing.append(delta, frame, stale)
            stored.join_if_many(delta)
            stored.parts(delta).index(delta.version(), MANY_COMMITS)
            return len(frame)

        written = self._commit(table, attempt) if wanted else 0
        self.note_written({table: {p: value for p, value in wanted.items() if value != EMPTY}})
        return written

    def written(self, table: str) -> dict[str, int]:
        """The fingerprints of the parts with rows that were put since these tables were opened, or
        since :meth:`forget_written`."""
        with self._lock:
            return dict(self._written[table].items()) if table in self._written else {}

    def note_written(self, parts: Mapping[str, Mapping[str, int]]) -> None:
        """These were put, by table and part; by another process, for whoever has these tables
        open."""
        with self._lock:
            for table, fingerprints in parts.items():
                if fingerprints:
                    self._written.setdefault(table, DiskDict()).update(fingerprints)

    def forget_written(self) -> None:
        """What was put so far is of no interest any more."""
        with self._lock:
            self._written.clear()

    def drop(self, table: str, parts: Iterable[str]) -> int:
        """Remove the rows of these parts; return how many parts had any."""
        given = set(parts)

        def attempt() -> int:
            delta = self._open(table)
            if delta is None:
                return 0
            known = self._at(table).parts(delta).of(given, delta.version())
            gone = sorted(part for part, value in known.items() if value != EMPTY)
            if gone:
                self._at(table).refuse_if_unwritable()
                writing.empty(delta, gone)
            return len(gone)

        return self._commit(table, attempt) if given else 0

    def remove(self, table: str, doomed: pl.Expr) -> int:
        """Remove the rows for which `doomed` is true; return how many there were.

        The expression may ask for PART too. A part that keeps other rows counts as changed: whoever
        puts its rows again has them written.
        """
        key = key_column(_known(table))

        def attempt() -> int:
            delta = self._open(table)
            if delta is None:
                return 0
            frame = completed(
                self._at(table).scan(delta), {**schema(TABLES[table]), PART: pl.String()}
            )
            marked = frame.select(key, PART, gone=doomed.fill_null(False))
            gone = marked.filter("gone").select(key, PART).head(REMOVED_AT_ONCE).collect()
            if gone.is_empty():
                return 0
            keys, touched = gone[key].to_list(), gone[PART].drop_nulls().unique().to_list()
            left = marked.filter(pl.col(PART).is_in(touched), ~pl.col(key).is_in(keys))
            others = set(left.select(PART).unique().collect()[PART])
            changed = {p: _no_fingerprint() if p in others else EMPTY for p in touched}
            self._at(table).refuse_if_unwritable()
            writing.remove(delta, key, keys, changed)
            return len(keys)

        total = count = self._commit(table, attempt)
        while count == REMOVED_AT_ONCE:
            total += (count := self._commit(table, attempt))
        return total

    def parts(self, table: str) -> set[str]:
        """The parts that have rows, at the newest version."""
        with self._lock:
            delta = self._open(table)
            if delta is None:
                return set()
            return self._at(table).parts(delta).filled(delta.version())

    def scan(
        self, table: str, version: int | None = None, files: Collection[str] | None = None
    ) -> pl.LazyFrame:
        """The table as a lazy frame, at `version` or the newest (pinned) one.

        Columns are those of the record in its order, then any the record no longer has. A table or
        column that did not exist at that version is empty or null. With `files` (their names, as in
        :meth:`files` at any version) only the rows of those, and no other is looked at.
        """
        wanted = schema(TABLES[_known(table)])
        if version is None and self.pinned is not None:
            if table not in self.pinned:
                return pl.LazyFrame(schema=wanted)
            version = self.pinned[table]
        with self._lock:
            delta = self._open(table, version, check=files is None)
            if delta is None:
                return pl.LazyFrame(schema=wanted)
            frame = self._at(table).scan(delta, files)
        have = frame.collect_schema()
        refuse_other_types(table, self._at(table).uri, have)
        if self.without and PART in have:
            frame = frame.filter(~pl.col(PART).is_in(self.without))
        columns = [as_read(name, have.get(name), dtype) for name, dtype in wanted.items()]
        others = [name for name in have if name not in wanted and name != PART]
        return frame.select(columns + [pl.col(name) for name in others])

    def records(self, table: str) -> list[Any]:
        """All rows of the table as records."""
        rows = self.scan(table).collect().iter_rows(named=True)
        return [from_row(TABLES[table], row) for row in rows]

    def version(self, table: str) -> int | None:
        """The newest (or the pinned) version of the table; None where it does not exist."""
        if self.pinned is not None:
            return self.pinned.get(table)
        with self._lock:
            delta = self._open(table, check=False)
            return None if delta is None else delta.version()

    def moved(self, table: str, old: int | None, new: int | None) -> bool:
        """Whether rows may differ between two versions; joining files (:meth:`compact`) moves the
        version, but no row."""
        if old == new:
            return False
        if old is None or new is None:
            return True
        return self.last_change(table, max(old, new)) > min(old, new)

    def last_change(self, table: str, version: int) -> int:
        """The last version up to this one in which rows may differ from the version before it."""
        return commits.last_change(self.storage, self._at(table).key, version)

    def changed_files(self, table: str, old: int, new: int) -> Commit | None:
        """The data files in which two versions differ; None where the log does not tell any more.
        It reads the commits between them."""
        return commits.changed_files(self.storage, self._at(table).key, old, new)

    def files(self, table: str) -> pl.DataFrame:
        """The table's data files: `path`, `size_bytes` and, where their writer noted them,
        `num_records`. None is looked at."""
        version = None if self.pinned is None else self.version(table)
        with self._lock:
            delta = self._open(table, version, check=False)
            assert delta is not None, table
            return pl.DataFrame(delta.get_add_actions()).select("path", "size_bytes", "num_records")

    def find_damage(self, table: str) -> None:
        """Read all of the table; raises EditmillError, naming the file, where one cannot be read.

        What opening a table costs next to nothing to see is checked then. This is for the rest: a
        query failed, and the table may be to blame.
        """
        self._at(table).find_damage(None if self.pinned is None else self.pinned.get(table))

    def compact(self, pins: Mapping[str, Sequence[int]], keep_hours: float = KEEP_HOURS) -> None:
        """Join small files, and remove files only versions older than `keep_hours` need that are
        not in `pins` (by table)."""
        self._refuse_if_pinned()
        for table in VERSIONED:

            def attempt(table: str = table) -> None:
                delta = self._open(table)
                if delta is None:
                    return
                self._at(table).refuse_if_unwritable()
                delta.optimize.compact(writer_properties=WRITER)
                delta.vacuum(
                    retention_hours=int(keep_hours),
                    dry_run=False,
                    enforce_retention_duration=False,
                    keep_versions=sorted(pins.get(table, ())),
                )

            self._commit(table, attempt)

    def _commit(self, table: str, attempt: Callable[[], T]) -> T:
        """Run `attempt`, again where another writer came first."""
        self._refuse_if_pinned()

        def alone() -> T:
            with self._lock:
                return attempt()

        return committed(self._at(table), alone)

    def _open(self, table: str, version: int | None = None, check: bool = True) -> OpenTable | None:
        """See :meth:`StoredTable.open`. On lakeFS what is there may not be found while a commit
        moves it from the uncommitted objects to the committed ones, so it is looked for twice."""
        self.presence.refuse_if_gone()
        stored = self._at(table)
        if isinstance(self.storage, Versioned):
            with suppress(EditmillError):
                if (found := stored.open(version, check)) is not None:
                    return found
        return stored.open(version, check)

    def _refuse_if_pinned(self) -> None:
        if self.pinned is not None:
            raise EditmillError(
                f"{self.storage.uri}: a release never changes; open the catalog at ref 'main' to "
                "write"
            )

    def _at(self, table: str) -> StoredTable:
        if _known(table) not in self._tables:
            self._tables[table] = StoredTable(self.storage, place_of(self.selection, table))
        return self._tables[table]


def place_of(selection: str, table: str) -> str:
    """Where below `tables` a selection's table lies."""
    return f"{selection}/{table}" if selection and table not in SHARED else table


def _no_fingerprint() -> int:
    """What no rows have: a part of which some were removed must be written when it is put again."""
    return secrets.randbits(60) + 1


def _known(table: str) -> str:
    if table not in TABLES:
        raise EditmillError(f"there is no table {table!r}; the tables are {', '.join(TABLES)}")
    return table
