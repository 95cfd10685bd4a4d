"""One Delta table in a catalog's storage: opened with care, read as a lazy frame."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from catalog.delta import writing
from catalog.delta.integrity import check_data, check_log, check_rows, damaged
from catalog.delta.object_integrity import check_objects, damaged_object
from catalog.delta.parts import FORGETS, Parts
from catalog.storage.files import beside, unwritable
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage

SPARE = 1 << 20
"""Bytes that must be free beside a commit's own rows, for the row groups it rewrites."""

CONFIGURATION: dict[str, str] = {
    **FORGETS,
    # Delta forgets commits after 30 days unless told otherwise; a release must stay readable.
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
}


class OpenTable(DeltaTable):
    """An opened table. Names its files as polars opens them: Delta's names are URLs, in which
    a blank is `%20`."""

    _data_files: tuple[int, dict[str, int]] | None = None

    @property
    def data_files(self) -> dict[str, int]:
        """Bytes by name, of this version. Kept, since Delta makes a table of all it knows of them
        each time, and each scan asks."""
        version = self.version()
        if self._data_files is None or self._data_files[0] != version:
            files = pl.DataFrame(self.get_add_actions()).select("path", "size_bytes")
            self._data_files = version, dict(files.iter_rows())
        return self._data_files[1]

    def file_uris(self, *args: Any, **kwargs: Any) -> list[str]:
        return [unquote(uri) for uri in super().file_uris(*args, **kwargs)]


class StoredTable:
    """The table at `tables/<name>` of a storage; it need not exist."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage = storage
        self._name = name
        self._opened: dict[int | None, OpenTable] = {}  # by version; None is the newest
        self._parts: Parts | None = None
        self._looked = -1  # the stretch of versions in which its files were looked at

    @property
    def uri(self) -> str:
        """As errors name it."""
        return f"{self._storage.uri}/{self.key}"

    @property
    def key(self) -> str:
        """Of its folder, in the storage."""
        return f"tables/{self._name}"

    @property
    def folder(self) -> Path | None:
        """Its local folder, where it has one."""
        if isinstance(self._storage, FolderStorage):
            return self._storage.root / "tables" / self._name
        return None

    def open(self, version: int | None = None, check: bool = True) -> OpenTable | None:
        """The table, its files known to be whole; None where there is none.

        The newest state is read from the log once, then only what was added to it. Without `check`
        data files are not looked at: whoever only appends reads none. Raises EditmillError, naming
        the file and the remedy, where the table is damaged.
        """
        delta = self._opened.get(version)
        newest = self._opened.get(None)
        if version is not None and newest is not None and newest.version() == version:
            delta = newest
        if delta is not None and version is None:
            try:
                delta.update_incremental()
            except (DeltaError, OSError):
                delta = None
        if delta is None:
            delta = self._open_anew(version)
            if delta is None:
                return None
            self._opened[version] = delta
        if check and self.folder is not None:
            check_data(self.folder, delta.data_files)
        return delta

    def create(self, columns: pl.Schema) -> DeltaTable:
        """The table, made with these columns if absent."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        location = self._storage.table(self._name)
        try:
            return DeltaTable.create(
                location.uri,
                schema=columns,
                mode="ignore",
                configuration=CONFIGURATION,
                storage_options=dict(location.options) or None,
            )
        except DeltaError:
            if (made := self.open(check=False)) is not None:  # by somebody else at this moment
                return made
            raise

    def scan(self, delta: OpenTable, files: Collection[str] | None = None) -> pl.LazyFrame:
        """All rows of the opened table, or those of data files that some version of it has."""
        if self.folder is None and files is None:
            return pl.scan_delta(delta)
        columns = pl.Schema(delta.schema())
        names = delta.data_files if files is None else files
        # Polars takes the percent signs of a file's URL for a part of its name.
        location = self._storage.table(self._name)
        paths = [f"{self.folder or location.uri}/{name}" for name in names]
        if not paths:
            return pl.LazyFrame(schema=columns)
        return pl.scan_parquet(
            paths,
            schema=columns,
            missing_columns="insert",
            extra_columns="ignore",
            glob=False,
            hive_partitioning=False,
            storage_options=dict(location.options) or None,
        )

    def parts(self, delta: DeltaTable) -> Parts:
        """What is known of its parts."""
        if self._parts is None or delta.version() < self._parts.version:  # it was made anew
            forgets = FORGETS.items() <= delta.metadata().configuration.items()
            self._parts = Parts(self._storage, self.key, forgets)
        return self._parts

    def join_if_many(self, delta: DeltaTable) -> None:
        """Join its small files where there are many. They are looked at now and then only."""
        delta.update_incremental()
        stretch = delta.version() // writing.LOOKED_AT_EVERY
        if stretch != self._looked:
            self._looked = stretch
            writing.join_if_many(delta)

    def find_damage(self, version: int | None = None) -> None:
        """Read all of it; raises EditmillError, naming the file, where one cannot be read. In an
        object store only the log is asked for: whether it may still be read."""
        delta = self.open(version)
        if delta is None:
            return
        if self.folder is not None:
            check_rows(self.folder, delta)
        else:
            check_objects(self._storage, self.key, None)

    def refuse_if_unwritable(self, size: float = 0) -> None:
        """Delta's writer panics on a full disk and where it may not write, with a trace on the
        terminal: ask beforehand. `size` is that of the rows to come, in bytes."""
        if (folder := self.folder) is None:
            return
        there = next(path for path in (folder, *folder.parents) if path.exists())
        if shutil.disk_usage(there).free < size + SPARE:
            raise unwritable(folder, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        with beside(there / "part") as temporary:
            try:
                temporary.touch()
            except OSError as error:
                raise unwritable(folder, error) from None

    def _open_anew(self, version: int | None) -> OpenTable | None:
        if self.folder is not None:
            check_log(self.folder, version)
        try:
            delta = self._read_log(version)
        except TableNotFoundError:
            if version is not None:  # a release has it
                raise damaged_object(self._storage, self.key, "is missing") from None
            return None
        if self.folder is None:
            check_objects(self._storage, self.key, delta)
        return delta

    def _read_log(self, version: int | None) -> OpenTable:
        location = self._storage.table(self._name)
        options = dict(location.options) or None
        for again in (True, False):
            try:
                return OpenTable(location.uri, version=version, storage_options=options)
            except TableNotFoundError:
                raise
            except (DeltaError, OSError) as error:
                what = f"cannot be read ({str(error).splitlines()[0]})"
                if self.folder is not None:
                    raise damaged(self.folder, what) from None
                check_objects(self._storage, self.key, None)  # waits for a service that is away
                if not again:
                    raise damaged_object(self._storage, self.key, what) from None
        raise AssertionError("unreachable")
