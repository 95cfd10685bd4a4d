"""The fingerprints of a table's parts in files beside its log.

A file `_parts/<first>-<last>-<commit>.parquet` covers the versions from its first to its last and
holds the newest fingerprint of each part that these wrote, sorted by a hash of the part's name.
Whoever adds a file takes those before it in that are no larger. So there are few, and how often a
part is written again grows with the logarithm of the table. A file never changes, and names the
commit it ends with by a digest: where a table was brought back to an older state and went on
otherwise, it no longer counts. A file that is lost costs time: the log tells the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

import polars as pl

from catalog.errors import EditmillError
from catalog.storage.location import Storage

_NAME = re.compile(r"/(\d{20})-(\d{20})-([0-9a-f]{16})\.parquet$")
_KNOWN = ("hash", "fingerprint")


@dataclass(frozen=True, slots=True)
class _File:
    first: int
    last: int
    commit: str
    key: str


@dataclass(frozen=True, slots=True)
class _Segment:
    file: _File
    known: pl.DataFrame  # _KNOWN, sorted by the hash; 16 bytes a part


class PartIndex:
    """The index of one table, as of a version that it was opened at."""

    def __init__(self, storage: Storage, table: str) -> None:
        """`table` is the key of the table's folder."""
        self._storage = storage
        self._table = table
        self._segments: list[_Segment] = []  # in the order of their versions

    @property
    def last(self) -> int:
        """The last version that is covered, from 0 on; -1 where none is."""
        return self._segments[-1].file.last if self._segments else -1

    def open(self, version: int) -> None:
        """Read the files that cover the first versions up to `version`, the longest first."""
        self._segments, found = [], [f for f in self._files() if f.last <= version]
        while fitting := [f for f in found if f.first == self.last + 1]:
            longest = max(fitting, key=lambda file: file.last)
            found.remove(longest)
            if longest.commit == self._commit(longest.last):
                if (known := self._read(longest.key, _KNOWN)) is not None:
                    self._segments.append(_Segment(longest, known))
                elif longest not in self._files():  # a writer has put a longer one in its place
                    return self.open(version)
        return None

    def of(self, names: Sequence[str]) -> dict[str, int]:
        """The fingerprints of those of the parts that it has.

        Two names may share a hash, once in a table of some billions of parts: a fingerprint of
        another part's rows is never the one that is looked for, so the part is written again.
        """
        found: dict[str, int] = {}
        wanted = pl.Series([*map(_hash, names)], dtype=pl.UInt64)
        for known in (segment.known for segment in self._segments if len(segment.known)):
            rows = known["hash"].search_sorted(wanted, "left").clip(0, len(known) - 1)
            there = zip(names, wanted, known[rows].iter_rows(), strict=True)
            found |= {name: row[1] for name, its_hash, row in there if row[0] == its_hash}
        return found

    def all(self) -> dict[str, int]:
        """The fingerprints of all its parts."""
        found: dict[str, int] = {}
        for segment in self._segments:
            rows = self._read(segment.file.key, ("part", "fingerprint"))
            if rows is None:
                raise EditmillError(f"{self._storage.uri}/{segment.file.key}: is gone; run again")
            found |= dict(rows.iter_rows())
        return found

    def add(self, fingerprints: Mapping[str, int], version: int) -> bool:
        """Have it cover `version`; `fingerprints` are those of all parts that were written since
        :attr:`last`. Whether that was done: not where another writer has put longer files in the
        place of those that are open here; it is then to be opened again."""
        rows = pl.DataFrame(
            {
                "hash": pl.Series([*map(_hash, fingerprints)], dtype=pl.UInt64),
                "fingerprint": pl.Series(list(fingerprints.values()), dtype=pl.Int64),
                "part": pl.Series(list(fingerprints), dtype=pl.String),
            }
        )
        kept, first = list(self._segments), self.last + 1
        while kept and len(kept[-1].known) <= len(rows):
            taken_in = kept.pop().file
            older = self._read(taken_in.key, rows.columns)
            if older is None:
                return False
            rows = pl.concat([older, rows]).unique("part", keep="last")
            first = taken_in.first
        rows = rows.sort("hash", "part")
        content = BytesIO()
        rows.write_parquet(content)
        commit = self._commit(version)
        key = f"{self._table}/_parts/{first:020}-{version:020}-{commit}.parquet"
        self._storage.create(key, content.getvalue())
        inside = (f for f in self._files() if first <= f.first and f.last <= version)
        self._storage.delete([f.key for f in inside if f.key != key])
        self._segments = [*kept, _Segment(_File(first, version, commit, key), rows.select(_KNOWN))]
        return True

    def _files(self) -> list[_File]:
        listed = ((e.key, _NAME.search(e.key)) for e in self._storage.list(f"{self._table}/_parts"))
        return [_File(int(name[1]), int(name[2]), name[3], key) for key, name in listed if name]

    def _commit(self, version: int) -> str:
        data = self._storage.read(f"{self._table}/_delta_log/{version:020}.json") or b""
        return hashlib.sha256(data).hexdigest()[:16]

    def _read(self, key: str, columns: Sequence[str]) -> pl.DataFrame | None:
        """These columns of the file; None where it is gone or damaged."""
        data = self._storage.read(key)
        try:
            return None if data is None else pl.read_parquet(BytesIO(data), columns=list(columns))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            return None


def _hash(name: str) -> int:
    data = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
