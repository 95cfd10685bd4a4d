"""A catalog that a stage can be run in without leaving a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

import catalog
from catalog.products import Document, ProductPage, Products
from catalog.releases import Catalog
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage, Stored, TableLocation
from catalog.storage.media import MediaStore
from catalog.tables import Tables
from flows.runtime import shard
from flows.runtime.results.answers import ROUNDS
from flows.runtime.results.journal import FAILED
from flows.stages.clips.look import CONTENTS

FREE = (CONTENTS, ROUNDS, shard.STAGE)
"""The journal's pages that say nothing of a record, and may lack."""

NO_INPUT = "no_input"
"""The reason of a record whose input is not in the journal."""


class Overlay:
    """The :class:`~catalog.storage.location.Storage` of another, in which what is written and added
    lies in a folder of its own; nothing can be deleted."""

    def __init__(self, below: Storage, folder: Path) -> None:
        self._below, self._own = below, FolderStorage(folder)

    @property
    def uri(self) -> str:
        return self._below.uri

    def read(self, key: str) -> bytes | None:
        own = self._own.read(key)
        return self._below.read(key) if own is None else own

    def write(self, key: str, data: bytes) -> None:
        self._own.write(key, data)

    def create(self, key: str, data: bytes) -> bool:
        return not self._below.exists(key) and self._own.create(key, data)

    def add_file(self, key: str, path: Path) -> None:
        self._own.add_file(key, path)

    def flush(self) -> None:
        """All is there."""

    def exists(self, key: str) -> bool:
        return self._own.exists(key) or self._below.exists(key)

    def list(self, prefix: str) -> Iterator[Stored]:
        both = {each.key: each for side in (self._below, self._own) for each in side.list(prefix)}
        yield from (both[key] for key in sorted(both))

    def delete(self, keys: Iterable[str]) -> None:
        raise NotImplementedError("a stage deletes nothing")

    def local(self, key: str) -> Path:
        return self._own.local(key) if self._own.exists(key) else self._below.local(key)

    @property
    def scratch(self) -> Path:
        return self._own.scratch

    def table(self, name: str) -> TableLocation:
        return self._below.table(name)


class OverlaidTables(Tables):
    """Tables as they are stored, whatever is put into them; `given` is that, by table and part."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables.storage, tables.selection, tables.pinned, tables.without)
        self.given: dict[str, dict[str, list[Any]]] = {}

    def put(
        self,
        table: str,
        parts: Mapping[str, Iterable[Any]],
        derive: Callable[[pl.LazyFrame], pl.LazyFrame] | None = None,
    ) -> int:
        rows = {part: list(records) for part, records in parts.items()}
        self.given.setdefault(table, {}).update(rows)
        return 0


class OverlaidProducts(Products):
    """The journal, in which `stage` has made nothing yet and every other stage what it made.

    Where another stage lacks a product, the record fails with the reason `no_input`.
    """

    def __init__(self, storage: Storage, stage: str) -> None:
        super().__init__(storage)
        self.stage = stage
        self.recorded = Products(storage)
        self._made: dict[tuple[str, str], dict[str, Document]] = {}

    def page(self, stage: str, name: str) -> ProductPage:
        super().page(stage, name)  # refuses what is no name
        return _OverlaidPage(self, stage, name, self._made.setdefault((stage, name), {}))


class _OverlaidPage(ProductPage):
    def __init__(
        self, products: OverlaidProducts, stage: str, name: str, made: dict[str, Document]
    ) -> None:
        super().__init__(products, stage, name)
        self._overlaid, self._made = products, made

    def get(self, key: str) -> Document | None:
        if (made := self._made.get(key)) is not None or self._stage == self._overlaid.stage:
            return made
        found = super().get(key)
        if found is None and self._stage not in FREE:
            message = (
                f"what {self._stage} made of it is not in the journal under the key that this "
                "version of editmill, the recipe and the models give it"
            )
            return {FAILED: {"reason": NO_INPUT, "message": message}}
        return found

    def put(self, documents: dict[str, Document]) -> None:
        self._made |= documents


def overlaid(root: str | Path, ref: str, stage: str, folder: Path) -> Catalog:
    """The catalog at `ref`, to run `stage` in; what that writes goes into `folder` and `given`.

    Raises EditmillError as :func:`catalog.open` does.
    """
    opened = catalog.open(root, ref=ref)
    storage = Overlay(opened.storage, folder)
    opened.storage = storage
    opened.media = MediaStore(storage)
    opened.tables = OverlaidTables(opened.tables)
    opened.products = OverlaidProducts(storage, stage)
    return opened
