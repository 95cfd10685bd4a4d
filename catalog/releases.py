"""Opening a catalog at a ref, releasing it under a tag, and comparing two refs.

A catalog is a folder: `catalog.json`, the Delta tables, the media and the build's journal. `main`
is what builds write to; a release is a row that pins the version of every table, and media are
never changed, so what was released stays as it was. A catalog on lakeFS keeps the same relative
paths and offers this same interface, with its own branches and tags.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import polars as pl

from catalog.errors import EditmillError
from catalog.integrity import damaged, newest
from catalog.query import Queries
from catalog.records import TABLES, Release, key_column
from catalog.storage.files import write_bytes
from catalog.storage.media import MediaStore
from catalog.storage.products import Products
from catalog.tables import Tables, changed_rows

FORMAT = 1
"""Version of a catalog's layout; a newer one than this is refused."""

MAIN = "main"

VERSIONED = tuple(table for table in TABLES if table != "releases")

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class TableDiff:
    """The keys of the rows that differ between two refs, sorted."""

    added: list[str]
    removed: list[str]
    changed: list[str]

    @property
    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {
            "added": len(self.added),
            "removed": len(self.removed),
            "changed": len(self.changed),
        }

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def check_tag(tag: str) -> None:
    """Raises EditmillError for what is no release's tag: letters, digits, `.`, `_`, `-`; at most
    64; not `main`."""
    if not _TAG.fullmatch(tag) or tag == MAIN:
        raise EditmillError(
            f"{tag!r} is no tag; use letters, digits, '.', '_' and '-', and not {MAIN!r}"
        )


class Catalog(Queries):
    """A catalog at a ref; made by :func:`open`. At a release it can only be read."""

    def __init__(self, root: Path, ref: str, release: Release | None = None) -> None:
        self.root = root
        self.ref = ref
        self.media = MediaStore(root, read_only=release is not None)
        self.tables = Tables(root, pinned=None if release is None else release.tables)
        self._read_only = release is not None

    @cached_property
    def products(self) -> Products:
        """The build's journal; a release has none and raises EditmillError."""
        self._refuse_if_read_only()
        return Products(self.root)

    def releases(self) -> list[Release]:
        """All releases, the oldest first."""
        return _releases(self.root)

    def release(self, tag: str, recipe: str, notes: str = "") -> Release:
        """Release what the tables hold now, under `tag`.

        Where nothing changed since a release, neither rows nor recipe, that release is returned,
        under the tag it has. Raises EditmillError for a tag that is taken by other content or is
        no name (letters, digits, `.`, `_`, `-`; at most 64; not `main`), and on an empty catalog.
        """
        self._refuse_if_read_only()
        check_tag(tag)
        versions = {table: self.tables.version(table) for table in VERSIONED}
        pins = {table: version for table, version in versions.items() if version is not None}
        if not pins:
            raise EditmillError(f"{self.root}: has nothing to release; run a build first")
        known = self.releases()
        taken = next((r for r in known if r.tag == tag), None)
        for release in [taken] if taken else reversed(known):
            if release.recipe == recipe and self._same_rows(release.tables, pins):
                return release
        if taken:
            raise EditmillError(f"tag {tag!r} is taken by other content; choose a new tag")
        created = datetime.now(UTC).isoformat(timespec="seconds")
        release = Release(tag, created, pins, recipe, notes)
        if not self.tables.insert("releases", [release]):
            raise EditmillError(f"tag {tag!r} was taken by another build; choose a new tag")
        return release

    def diff(self, a: str, b: str) -> dict[str, TableDiff]:
        """What changed from ref `a` to ref `b`, per table."""
        old, new = open(self.root, a).tables, open(self.root, b).tables
        return {
            table: _diff_table(table, old.scan(table), new.scan(table))
            if old.version(table) != new.version(table)
            else TableDiff([], [], [])
            for table in VERSIONED
        }

    def compact(self) -> None:
        """Join the tables' small files and drop old versions, but none a release pins."""
        self.tables.compact()

    def __repr__(self) -> str:
        return f"<Catalog {str(self.root)!r} at {self.ref!r}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: pairs per task, the tables with their rows, and the releases."""
        from catalog.notebook.cells import catalog_cell

        return catalog_cell(self)

    def _same_rows(self, old: dict[str, int], new: dict[str, int]) -> bool:
        """Whether two sets of pinned versions hold the same rows (compaction moves versions)."""
        before, after = Tables(self.root, old), Tables(self.root, new)
        return not any(
            _diff_table(table, before.scan(table), after.scan(table))
            for table in VERSIONED
            if old.get(table) != new.get(table)
        )

    def _refuse_if_read_only(self) -> None:
        if self._read_only:
            raise EditmillError(
                f"{self.root}: release {self.ref!r} is read-only; open the catalog at {MAIN!r}"
            )


def open(root: str | Path, ref: str = MAIN, create: bool = False) -> Catalog:
    """The catalog in folder `root` at `ref`: `main`, or a release's tag.

    `create` makes an empty one where there is none. Raises EditmillError where `root` is no
    catalog, is of a newer format, or does not know `ref`.
    """
    root = Path(root)
    marker = root / "catalog.json"
    if create and not os.path.lexists(marker):
        write_bytes(marker, json.dumps({"format": FORMAT}).encode())
    layout = _layout(root, marker)
    if layout != FORMAT:
        raise EditmillError(
            f"{root}: has catalog format {layout}, this editmill reads {FORMAT}; upgrade editmill"
        )
    releases = _releases(root)
    if ref == MAIN:
        if not create and not (root / "tables").exists() and (root / "media").exists():
            raise EditmillError(
                f"{root}: has media but no tables; restore {root / 'tables'} from a copy, or build "
                "again: the rows are written from what the build remembers"
            )
        _refuse_if_behind(root, releases)
        return Catalog(root, ref)
    for release in releases:
        if release.tag == ref:
            return Catalog(root, ref, release)
    known = ", ".join([MAIN, *(r.tag for r in releases)])
    raise EditmillError(f"{root}: has no ref {ref!r}; there are {known}")


def _layout(root: Path, marker: Path) -> object:
    """The format that the marker tells."""
    restore = f"restore it with: echo '{json.dumps({'format': FORMAT})}' > {marker}"
    try:
        return json.loads(marker.read_bytes())["format"]
    except (FileNotFoundError, NotADirectoryError):
        if (root / "tables").is_dir():
            raise EditmillError(f"{marker}: is missing, the tables are there; {restore}") from None
        raise EditmillError(
            f"{root}: is not a catalog (no catalog.json); name a build's output folder, "
            "or make one with: editmill build"
        ) from None
    except OSError as error:
        raise EditmillError(f"{marker}: cannot be read ({error.strerror}); mend that") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise EditmillError(f"{marker}: is damaged; {restore}") from None


def _refuse_if_behind(root: Path, releases: list[Release]) -> None:
    """A table that is older than a release holds it has lost its newest commits: nothing in its own
    folder tells."""
    for table in VERSIONED:
        path = root / "tables" / table
        held = {r.tables[table]: r.tag for r in releases if table in r.tables}
        last = newest(path)
        if held and (last is None or last < max(held)):
            lost = "is missing" if last is None else f"ends at version {last}"
            raise damaged(
                path, f"{lost}, but release {held[max(held)]!r} holds version {max(held)}"
            )


def _releases(root: Path) -> list[Release]:
    return sorted(Tables(root).records("releases"), key=lambda r: (r.created_at, r.tag))


def _diff_table(table: str, old: pl.LazyFrame, new: pl.LazyFrame) -> TableDiff:
    key = key_column(table)
    before, after = old.collect(), new.collect()
    names = list(dict.fromkeys(before.columns + after.columns))
    before, after = (
        _with_columns(frame, names, other) for frame, other in ((before, after), (after, before))
    )
    moved = set(changed_rows(before, after, key)[key])
    had, has = set(before[key]), set(after[key])
    return TableDiff(sorted(has - had), sorted(had - has), sorted(moved & had))


def _with_columns(frame: pl.DataFrame, names: list[str], other: pl.DataFrame) -> pl.DataFrame:
    """`frame` with all of `names`, null where only `other` has the column."""
    missing = [pl.lit(None, other.schema[n]).alias(n) for n in names if n not in frame.columns]
    return frame.with_columns(missing).select(names)
