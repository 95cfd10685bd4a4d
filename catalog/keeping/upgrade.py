"""Bringing a catalog of format 1 to the present format, in place and without loss.

No table and no medium is touched: what format 1 held becomes the selection without a name, whose
tables stay where they are. Its releases become documents, its trained experts rows of `trained`,
and the build's journal is moved to where :class:`catalog.products.Products` finds its documents by
their keys. `catalog.json` is written last. So until the end it is a catalog of format 1 that older
versions read too; interrupted anywhere and run again, the upgrade goes on.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from catalog import opening, trained
from catalog.layout import FORMAT, MARKER, release_key
from catalog.products import FORMAT_1, UPGRADED
from catalog.records import ModelRow, from_row
from catalog.releases import Catalog
from catalog.storage import storage_at
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage, Versioned
from catalog.tables import VERSIONED

_PRODUCT = re.compile(r"work/([a-z_]+)/([0-9a-f]{2})/\2[0-9a-f]{30}\.json")
"""A document of format 1's journal; beside them lie previews, a status, what trainings keep."""


@dataclass(slots=True)
class Upgrade:
    """What was done; all empty where the catalog has the present format already."""

    before: int  # the format it had
    releases: list[str] = field(default_factory=list)  # tags, the oldest first
    trained: list[str] = field(default_factory=list)  # model ids of trained experts
    products: int = 0  # documents of the journal; moved by this run, where another was interrupted


def upgrade(root: str | Path | Storage, check_stop: Callable[[], None] = lambda: None) -> Upgrade:
    """Bring the catalog at `root` to the present format; nobody else may write to it meanwhile.

    `check_stop` is called now and then, and may raise. Raises EditmillError where `root` is no
    catalog, or a table of it is damaged.
    """
    storage = storage_at(root)
    old = opening.open(storage)
    done = Upgrade(before=old.format)
    if old.format == FORMAT:
        return done
    for table in VERSIONED:
        old.tables.version(table)  # raises where the table has lost files
    for release in old.releases():
        document = json.dumps(dataclasses.asdict(release), sort_keys=True).encode()
        storage.write(release_key(release.tag), document)
        done.releases.append(release.tag)
    done.trained = _list_trained(old)
    for each in list(storage.list("work")):
        if _PRODUCT.fullmatch(each.key):
            check_stop()
            _move(storage, each.key, f"{FORMAT_1}/{each.key.removeprefix('work/')}")
            done.products += 1
    if any(storage.list(FORMAT_1)):
        storage.write(UPGRADED, json.dumps({"format": FORMAT}).encode())
    storage.write(MARKER, json.dumps({"format": FORMAT}).encode())
    if isinstance(storage, Versioned):
        storage.commit(f"Upgrade to catalog format {FORMAT}", {})
    return done


def _list_trained(old: Catalog) -> list[str]:
    """Write the rows of trained experts to `trained`; `models` keeps them too, as releases do."""
    rows = old.models().filter(pl.col("kind") == trained.KIND).sort("model_id").collect()
    experts = [from_row(ModelRow, row) for row in rows.iter_rows(named=True)]
    old.tables.put("trained", {row.model_id: [row] for row in experts})
    return [row.model_id for row in experts]


def _move(storage: Storage, key: str, to: str) -> None:
    """The object is at one of both keys at any time."""
    if isinstance(storage, FolderStorage):
        storage.add_file(to, storage.root / key)
        return
    data = storage.read(key)
    if data is not None:
        storage.write(to, data)
        storage.delete([key])
