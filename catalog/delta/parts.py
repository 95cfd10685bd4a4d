"""What each part of a table holds, as its Delta log tells: the table itself is never read.

Rows are written in parts: all that one clip (or source, or stage) gave. The commit that writes a
part records an application transaction: the part's name, and a fingerprint of its rows as the
version. So a part that is there already is known at once, whatever the table's size, and two
writers of one part conflict, of which Delta lets one through.

Delta keeps every transaction in its checkpoints, which it reads to open a table and writes anew
every hundred commits: at a million parts seconds each time. So the table's checkpoints hold none
(:data:`FORGETS`), and the fingerprints lie in an index beside the log
(:mod:`catalog.delta.part_index`).
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from io import BytesIO
from typing import Any

import polars as pl
from deltalake import CommitProperties, Transaction

from catalog.delta.part_index import PartIndex
from catalog.storage.location import Storage

EMPTY = 0
"""The fingerprint of a part without rows."""

COUNT = "parts"
"""In a commit's information: how many parts it writes."""

FORGETS = {"delta.setTransactionRetentionDuration": "interval 0 seconds"}
"""The table's property: its checkpoints hold no transaction. Those of older catalogs hold all."""

MANY_COMMITS = 100
"""From so many commits on that the index does not cover, it takes them in."""

_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")


def fingerprint(rows: Sequence[Mapping[str, Any]]) -> int:
    """Of a part's rows: a positive 60-bit integer, EMPTY where there are none."""
    if not rows:
        return EMPTY
    text = json.dumps(rows, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return int(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:15], 16) + 1


def committing(fingerprints: Mapping[str, int]) -> CommitProperties:
    """For the commit that writes these parts."""
    now = int(time.time() * 1000)  # without it a transaction is never forgotten
    return CommitProperties(
        custom_metadata={COUNT: str(len(fingerprints))},
        app_transactions=[Transaction(part, value, now) for part, value in fingerprints.items()],
    )


class Parts:
    """The fingerprints of a table's parts: of its first versions from the index, then as the log
    tells, which is read once, then what was added to it."""

    def __init__(self, storage: Storage, table: str, forgets: bool) -> None:
        """`table` is the key of the table's folder; `forgets` tells that it has the property
        :data:`FORGETS`."""
        self._storage = storage
        self._log = f"{table}/_delta_log"
        self._forgets = forgets
        self._index = PartIndex(storage, table)
        self.version = -1  # the last that was read
        self._since: dict[str, int] = {}  # what the index lacks
        self._lock = threading.Lock()

    def of(self, names: Collection[str], version: int) -> dict[str, int]:
        """The fingerprints of those of the parts that were ever written, as of the table's
        `version`, or of a later one that was asked for before."""
        with self._lock:
            self._catch_up(version)
            found = self._index.of([name for name in names if name not in self._since])
            return found | {name: self._since[name] for name in names if name in self._since}

    def filled(self, version: int) -> set[str]:
        """All parts that have rows, as of the table's `version`."""
        with self._lock:
            self._catch_up(version)
            every = self._index.all() | self._since
            return {name for name, value in every.items() if value != EMPTY}

    def index(self, version: int, many: int = 1) -> None:
        """Have the index cover the table's `version` where it lacks so many commits."""
        with self._lock:
            self._catch_up(version)
            if version - self._index.last < many:
                return
            if self.version > version:
                return
            if not self._index.add(self._since, version):
                self.version = -1  # all is read again
            self._since = {}

    def _catch_up(self, version: int) -> None:
        if self.version < 0:
            self._index.open(version)
            self.version = self._index.last
            if self.version < 0 and not self._forgets:
                self._start_at_checkpoint(version)
        for each in range(self.version + 1, version + 1):
            commit = self._storage.read(f"{self._log}/{each:020}.json") or b""
            for line in commit.splitlines():
                if b'"txn"' in line and "txn" in (action := json.loads(line)):
                    self._since[action["txn"]["appId"]] = action["txn"]["version"]
        self.version = max(self.version, version)

    def _start_at_checkpoint(self, version: int) -> None:
        names = (each.key.rpartition("/")[2] for each in self._storage.list(self._log))
        found = [int(m[1]) for name in names if (m := _CHECKPOINT.fullmatch(name))]
        newest = max((v for v in found if v <= version), default=-1)
        if newest < 0:
            return
        data = self._storage.read(f"{self._log}/{newest:020}.checkpoint.parquet") or b""
        rows = pl.read_parquet(BytesIO(data), columns=["txn"]).drop_nulls()["txn"].struct.unnest()
        self._since = dict(rows.select("appId", "version").iter_rows())
        self.version = newest
