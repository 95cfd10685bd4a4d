"""The catalog's tables: Delta Lake, one folder per table, rows derived from the records.

A merge writes only rows that really changed: running a build again commits no new version, so a
table's version says whether its content moved. Writers need no lock: Delta's commits are
optimistic, and a writer that lost the race reads again and retries. Old versions are kept for ever
unless :meth:`Tables.compact` removes them, and that keeps every version a release pins.
"""

from __future__ import annotations

import errno
import functools
import os
import random
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from polars.exceptions import PanicException, PolarsError

from catalog.errors import EditmillError
from catalog.integrity import check_data, check_log, check_rows, damaged
from catalog.records import TABLES, from_row, key_column, schema, to_row
from catalog.storage.files import unwritable

ATTEMPTS = 30
"""Tries of one commit before giving up; with the pauses below this is about 25 s of contention."""

LONGEST_PAUSE = 2.0  # s, between two tries

KEEP_HOURS = 24
"""Files of unpinned old versions stay this long, for readers that still have them open."""

SPARE = 1 << 20
"""Bytes that must be free beside a merge's own rows, for the row groups it rewrites."""

CONFIGURATION: dict[str, str | None] = {
    # Delta forgets commits after 30 days unless told otherwise; a release must stay readable.
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
}

T = TypeVar("T")


class Tables:
    """The tables under `root/tables`, named as in :data:`catalog.records.TABLES`.

    `pinned` maps each table to the Delta version a release holds: then exactly these are read, and
    every write raises EditmillError.
    """

    def __init__(self, root: str | Path, pinned: Mapping[str, int] | None = None) -> None:
        self.root = Path(root)
        self.pinned = pinned

    def merge(self, table: str, records: Iterable[Any]) -> int:
        """Insert records, or update those whose key (first field) is there; return how many rows
        were written.

        Rows that are equal to what is stored are not written. Of several records with one key the
        last counts. A field the table does not have yet becomes a column, null in older rows.
        Raises EditmillError where the table cannot be written or is read-only.
        """
        return self._write(table, records, update=True)

    def insert(self, table: str, records: Iterable[Any]) -> int:
        """Like :meth:`merge`, but rows whose key is there already stay as they are."""
        return self._write(table, records, update=False)

    def delete(self, table: str, ids: Sequence[str]) -> int:
        """Remove the rows with these keys; return how many there were."""
        key = key_column(table)
        gone = pl.DataFrame({key: list(dict.fromkeys(ids))}, schema={key: pl.String})

        def attempt() -> int:
            delta = self._open(table)
            if delta is None:
                return 0
            present = self.scan(table).select(key).join(gone.lazy(), on=key, how="semi").collect()
            if not present.is_empty():
                _merger(delta, present, key).when_matched_delete().execute()
            return len(present)

        return self._commit(table, attempt)

    def scan(self, table: str, version: int | None = None) -> pl.LazyFrame:
        """The table as a lazy frame, at `version` or the newest (pinned) one.

        Columns are those of the record in its order, then any the record no longer has. A table or
        column that did not exist at that version is empty or null.
        """
        wanted = schema(TABLES[_known(table)])
        if version is None and self.pinned is not None:
            if table not in self.pinned:
                return pl.LazyFrame(schema=wanted)
            version = self.pinned[table]
        delta = self._open(table, version)
        if delta is None:
            return pl.LazyFrame(schema=wanted)
        frame = pl.scan_delta(delta)
        have = frame.collect_schema()
        columns = [
            pl.col(name) if name in have else pl.lit(None, dtype).alias(name)
            for name, dtype in wanted.items()
        ]
        return frame.select(columns + [pl.col(name) for name in have if name not in wanted])

    def records(self, table: str) -> list[Any]:
        """All rows of the table as records."""
        rows = self.scan(table).collect().iter_rows(named=True)
        return [from_row(TABLES[table], row) for row in rows]

    def version(self, table: str) -> int | None:
        """The newest (or the pinned) version of the table; None where it does not exist."""
        if self.pinned is not None:
            return self.pinned.get(table)
        delta = self._open(table)
        return None if delta is None else delta.version()

    def find_damage(self, table: str) -> None:
        """Read all of the table; raises EditmillError, naming the file, where one cannot be read.

        What opening a table costs next to nothing to see is checked then. This is for the rest: a
        query failed, and the table may be to blame.
        """
        delta = self._open(table, None if self.pinned is None else self.pinned.get(table))
        if delta is not None:
            check_rows(self._path(table), delta)

    def compact(self, keep_hours: float = KEEP_HOURS) -> None:
        """Join small files, and remove files only unpinned versions older than `keep_hours` need.

        Every version a release pins stays readable.
        """
        self._refuse_if_pinned()
        releases = self.records("releases")
        for table in TABLES:
            if self._open(table) is None:
                continue
            pins = sorted({r.tables[table] for r in releases if table in r.tables})
            self._commit(table, functools.partial(self._tidy, table, pins, keep_hours))

    def _tidy(self, table: str, pins: list[int], keep_hours: float) -> None:
        delta = self._open(table)
        assert delta is not None
        delta.optimize.compact()
        delta.vacuum(
            retention_hours=int(keep_hours),
            dry_run=False,
            enforce_retention_duration=False,
            keep_versions=pins,
        )

    def _write(self, table: str, records: Iterable[Any], update: bool) -> int:
        key = key_column(_known(table))
        rows = [to_row(record) for record in records]
        frame = pl.DataFrame(rows, schema=schema(TABLES[table]), orient="row")
        frame = frame.unique(key, keep="last", maintain_order=True)
        if frame.is_empty():
            return 0

        def attempt() -> int:
            delta = self._open(table) or self._create(table)
            self._refuse_if_full(table, frame.estimated_size())
            stored = self.scan(table).select(frame.columns)
            stored = stored.join(frame.lazy().select(key), on=key, how="semi")
            fresh = changed_rows(stored.collect(), frame, key, update)
            if not fresh.is_empty():
                columns = {f"`{name}`": f"s.`{name}`" for name in fresh.columns}
                merger = _merger(delta, fresh, key).when_not_matched_insert(columns)
                if update:
                    merger = merger.when_matched_update(columns)
                merger.execute()
            return len(fresh)

        return self._commit(table, attempt)

    def _commit(self, table: str, attempt: Callable[[], T]) -> T:
        """Run `attempt`, again where another writer came first."""
        self._refuse_if_pinned()
        for tries in range(1, ATTEMPTS + 1):
            try:
                return attempt()
            except CommitFailedError:
                if tries == ATTEMPTS:
                    raise EditmillError(
                        f"{self._path(table)}: other writers came first {ATTEMPTS} times; "
                        "run fewer builds on this catalog at once"
                    ) from None
                time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.02 * 2**tries)))
            except (PolarsError, PanicException):
                self.find_damage(table)
                raise
            except (DeltaError, OSError) as error:
                raise unwritable(self._path(table), error) from None
        raise AssertionError("unreachable")

    def _open(self, table: str, version: int | None = None) -> DeltaTable | None:
        """The table, its files known to be whole; None where there is none."""
        path = self._path(table)
        check_log(path, version)
        try:
            delta = DeltaTable(str(path), version=version)
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise damaged(path, f"cannot be read ({str(error).splitlines()[0]})") from None
        check_data(path, delta)
        return delta

    def _create(self, table: str) -> DeltaTable:
        self._path(table).mkdir(parents=True, exist_ok=True)
        return DeltaTable.create(
            str(self._path(table)),
            schema=schema(TABLES[table]),
            mode="ignore",
            configuration=CONFIGURATION,
        )

    def _refuse_if_full(self, table: str, size: float) -> None:
        """Delta's writer panics on a full disk, with a trace on the terminal: ask beforehand."""
        if shutil.disk_usage(self._path(table)).free < size + SPARE:
            raise unwritable(self._path(table), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    def _refuse_if_pinned(self) -> None:
        if self.pinned is not None:
            raise EditmillError(
                f"{self.root}: a release never changes; open the catalog at ref 'main' to write"
            )

    def _path(self, table: str) -> Path:
        return self.root / "tables" / _known(table)


def changed_rows(
    stored: pl.DataFrame, incoming: pl.DataFrame, key: str, update: bool = True
) -> pl.DataFrame:
    """The rows of `incoming` that are new or, with `update`, differ from the stored ones."""
    new = incoming.join(stored, on=key, how="anti", maintain_order="left")
    if not update:
        return new
    both = incoming.join(stored, on=key, how="semi", maintain_order="left")
    old = both.select(key).join(stored, on=key, how="left", maintain_order="left")
    differs = pl.any_horizontal(
        both[name].ne_missing(old[name]) for name in incoming.columns if name != key
    )
    return pl.concat([new, both.filter(both.select(differs=differs)["differs"])])


def _merger(delta: DeltaTable, source: pl.DataFrame, key: str) -> Any:
    return delta.merge(
        source,
        predicate=f"t.`{key}` = s.`{key}`",
        source_alias="s",
        target_alias="t",
        merge_schema=True,
    )


def _known(table: str) -> str:
    if table not in TABLES:
        raise EditmillError(f"there is no table {table!r}; the tables are {', '.join(TABLES)}")
    return table
