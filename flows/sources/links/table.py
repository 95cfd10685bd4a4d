"""Tables of links: CSV, JSON lines or Parquet files, and SQL over them.

Files on disks are read in a process of its own, with limits on memory and time, since whoever wrote
them may mean harm; those in a bucket of the user's are read here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.errors import EditmillError
from catalog.media.isolation import reader
from catalog.query import first_word
from flows.sources.files import s3
from flows.sources.files.file import CheckStop
from flows.sources.files.paths import LINK, files
from flows.sources.links import reading

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of some files, or what a query selects from them; `where` names them in errors."""

    groups: tuple[reading.Group, ...]
    query: str | None
    where: str
    check_stop: CheckStop

    def columns(self) -> dict[str, str]:
        """The columns with their kinds, as :func:`flows.sources.links.reading.columns`. Raises
        EditmillError, in one line, where a file cannot be read."""
        (found,) = self._read("columns")
        return dict(found)

    def rows(self, names: Sequence[str]) -> Iterator[list[str]]:
        """The rows in their order, these columns of them, as texts; null is an empty one. The
        column reading.NUMBER is a row's number. Raises EditmillError, in one line."""
        for batch in self._read("rows", names=list(names)):
            yield from batch

    def _read(self, function: str, **more: Any) -> Iterator[Any]:
        given = {"groups": self.groups, "query": self.query, "where": self.where, **more}
        if any(uris[0].startswith(s3.SCHEME) for _, uris in self.groups):
            return iter(getattr(reading, function)(**given))
        name = f"{reading.__name__}:{function}"
        return reader.read(name, given, self.where, check_stop=self.check_stop)


def opened(patterns: Sequence[str], query: str | None, check_stop: CheckStop) -> Table:
    """The table of all these files; nothing is read yet. Raises EditmillError in one line."""
    if query is not None and first_word(query) not in ("select", "with"):
        raise EditmillError(
            f"the recipe's `query` is no SELECT; expected: select url from {reading.TABLE} where …"
        )
    by_kind: dict[tuple[str, bool], list[str]] = {}  # by suffix, and whether in a bucket
    for pattern in patterns:
        if pattern.startswith(LINK):
            raise EditmillError(f"{pattern}: a list lies on a disk or in a bucket; fetch it first")
        for file, _ in files(pattern, SUFFIXES, (), check_stop):
            suffix = next((s for s in SUFFIXES if file.uri.lower().endswith(s)), None)
            if suffix is None:
                raise EditmillError(
                    f"{file.uri}: no list of links by its name; expected {', '.join(SUFFIXES)}"
                )
            by_kind.setdefault((suffix, file.uri.startswith(s3.SCHEME)), []).append(file.uri)
    groups = tuple((suffix, tuple(uris)) for (suffix, _), uris in sorted(by_kind.items()))
    return Table(groups, query, ", ".join(patterns), check_stop)
