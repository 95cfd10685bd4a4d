"""What each part of a table holds, as its Delta log tells: the table itself is never read.

Rows are written in parts: all that one clip (or source, or stage) gave. The commit that writes a
part records an application transaction: the part's name, and a fingerprint of its rows as the
version. So a part that is there already is known at once, whatever the table's size, and two
writers of one part conflict, of which Delta lets one through.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Collection, Mapping, Sequence
from io import BytesIO
from typing import Any

import polars as pl
from deltalake import CommitProperties, Transaction

from catalog.storage.location import Storage

EMPTY = 0
"""The fingerprint of a part without rows."""

COUNT = "parts"
"""In a commit's information: how many parts it writes."""

_NONE = pl.DataFrame(schema={"appId": pl.String, "version": pl.Int64, "hash": pl.UInt64})
_SEED = 0
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")


def fingerprint(rows: Sequence[Mapping[str, Any]]) -> int:
    """Of a part's rows: a positive 60-bit integer, EMPTY where there are none."""
    if not rows:
        return EMPTY
    text = json.dumps(rows, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return int(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:15], 16) + 1


def committing(fingerprints: Mapping[str, int]) -> CommitProperties:
    """For the commit that writes these parts."""
    return CommitProperties(
        custom_metadata={COUNT: str(len(fingerprints))},
        app_transactions=[Transaction(part, value) for part, value in fingerprints.items()],
    )


class Parts:
    """The fingerprints of a table's parts; the log is read once, then what was added to it."""

    def __init__(self, storage: Storage, log: str) -> None:
        self._storage = storage
        self._log = log  # key of the folder `_delta_log`
        self.version = -1  # the last that was read
        self._checkpoint = _NONE  # by hash; columns take a fifth of what a dictionary would
        self._since: dict[str, int] = {}
        self._lock = threading.Lock()

    def of(self, names: Collection[str], version: int) -> dict[str, int]:
        """The fingerprints of those of the parts that were ever written, as of the table's
        `version`, or of a later one that was asked for before."""
        with self._lock:
            self._catch_up(version)
            found = self._in_checkpoint(list(names))
            return found | {name: self._since[name] for name in names if name in self._since}

    def filled(self, version: int) -> set[str]:
        """All parts that have rows, as of the table's `version`."""
        with self._lock:
            self._catch_up(version)
            written = self._checkpoint.select("appId", "version")
            every = dict(written.iter_rows()) | self._since
            return {name for name, value in every.items() if value != EMPTY}

    def _in_checkpoint(self, names: Sequence[str]) -> dict[str, int]:
        """By binary search in the hashes."""
        known = self._checkpoint
        if not names or known.is_empty():
            return {}
        wanted = pl.Series(names, dtype=pl.String).hash(_SEED)
        rows = known["hash"].search_sorted(wanted, "left").clip(0, len(known) - 1)
        found, shared = {}, []
        for name, its_hash, row in zip(names, wanted, known[rows].iter_rows(), strict=True):
            if row[0] == name:
                found[name] = row[1]
            elif row[2] == its_hash:  # another name's too
                shared.append(name)
        rest = known.filter(pl.col("appId").is_in(shared)) if shared else _NONE
        return found | dict(rest.select("appId", "version").iter_rows())

    def _catch_up(self, version: int) -> None:
        if version - self.version > 1:
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
        if newest <= self.version:
            return
        data = self._storage.read(f"{self._log}/{newest:020}.checkpoint.parquet") or b""
        rows = pl.read_parquet(BytesIO(data), columns=["txn"]).drop_nulls()["txn"].struct.unnest()
        hashed = rows.select("appId", "version", hash=pl.col("appId").hash(_SEED))
        self._checkpoint, self._since = hashed.sort("hash"), {}
        self.version = newest
