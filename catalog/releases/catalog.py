"""A catalog at a ref: its tables, releasing it under a tag, deciding anew what a release keeps.

A catalog lies in a storage: `catalog.json`, tables per selection, media, releases and the build's
journal. A selection is what one recipe asks for; its rows lie in tables of their own, so that
recipes never mix. `main` is the selection of the newest build, as it is now. A release is one small
document that pins a selection, the version of each of its tables and the policy by which pairs are
kept. Tables keep their versions and media are never changed, so what was released stays as it was.
"""

from __future__ import annotations

import dataclasses
import json
import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from catalog.errors import EditmillError
from catalog.layout import (
    FORMAT,
    POINTER,
    Selection,
    releases_in,
    selection_of,
    tags_in,
)
from catalog.policy import Policy
from catalog.products import Products
from catalog.query import Queries
from catalog.records import Release, schema, to_row
from catalog.releases.counts import TALLIES, count
from catalog.releases.index import newest_first
from catalog.releases.publishing import publish
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage, Versioned
from catalog.storage.media import MediaStore
from catalog.tables import SHARED, VERSIONED, Tables

if TYPE_CHECKING:
    from catalog.diff.tables import TableDiff

MAIN = "main"

NO_SELECTION = Selection()

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_tag(tag: str) -> None:
    """Raises EditmillError for what is no release's tag: letters, digits, `.`, `_`, `-`; at most
    64; not `main`."""
    if not _TAG.fullmatch(tag) or tag == MAIN:
        raise EditmillError(
            f"{tag!r} is no tag; use letters, digits, '.', '_' and '-', and not {MAIN!r}"
        )


class Catalog(Queries):
    """A catalog at a ref; made by :func:`catalog.open`. At a release it can only be read."""

    def __init__(
        self,
        storage: Storage,
        ref: str = MAIN,
        selection: Selection = NO_SELECTION,
        policy: Policy | None = None,
        release: Release | None = None,
        layout: int = FORMAT,
    ) -> None:
        super().__init__()
        self.storage = storage
        self.ref = ref
        self.selection = selection
        self.policy = policy
        self.format = layout
        self._release = release
        self._read_only = release is not None or layout != FORMAT
        self.media = MediaStore(storage, read_only=self._read_only)
        if release is None:
            self.tables = Tables(storage, selection.name)
        else:
            self.tables = Tables(storage, selection.name, release.tables, release.without)

    @property
    def uri(self) -> str:
        """Where the catalog lies: a folder, `s3://…` or `lakefs://…`."""
        return self.storage.uri

    @property
    def root(self) -> Path:
        """The folder of a catalog that lies in one; raises EditmillError for others."""
        if isinstance(self.storage, FolderStorage):
            return self.storage.root
        raise EditmillError(f"{self.uri}: is no folder; this needs a catalog in one")

    @property
    def address(self) -> str:
        """What another process opens it by, wherever that works: `uri`, of a folder the absolute
        path."""
        folder = isinstance(self.storage, FolderStorage)
        return str(self.root) if folder else self.uri

    @property
    def workspace(self) -> Path:
        """A local folder for what can be made again at any time; it may not exist yet."""
        if isinstance(self.storage, FolderStorage):
            return self.storage.root / "work"
        return self.storage.scratch

    @cached_property
    def products(self) -> Products:
        """The build's journal; a release has none and raises EditmillError."""
        self._refuse_if_read_only()
        return Products(self.storage, self.selection.name or MAIN)

    def table(self, name: str) -> pl.LazyFrame:
        """A table as its readers see it; pairs are kept or rejected by this ref's policy."""
        if name == "releases":
            rows = [to_row(release) for release in self.releases()]
            return pl.LazyFrame(rows, schema=schema(Release), orient="row")
        return super().table(name)

    def as_read(self, name: str, stored: pl.LazyFrame) -> pl.LazyFrame:
        """Some rows of a table, as its readers see them."""
        if name != "pairs" or self.policy is None:
            return stored
        if not self.selection.name:
            stored = self.policy.without_reasons(stored)
        if self._decided_by() != (self.policy.key,):
            stored = self.policy.decide(stored)
        return self.policy.with_reasons(stored)

    @property
    def released(self) -> Release | None:
        """The release that the catalog is open at; None at `main`."""
        return self._release

    def releases(self) -> list[Release]:
        """All releases, the oldest first."""
        self.tables.presence.refuse_if_gone()
        return releases_in(self.storage, self.format)

    def newest_releases(self) -> Iterator[Release]:
        """All releases, the newest first; whoever stops soon has few of them read."""
        if self.format == 1:  # where they are rows
            return reversed(self.releases())
        return newest_first(self.storage)

    def diff(self, ref: str) -> dict[str, TableDiff]:
        """The keys of the rows that came, went or changed from `ref` to this one, per table; read
        are the data files that only one of the two has.

        Raises EditmillError as :func:`catalog.open` does.
        """
        from catalog import opening
        from catalog.diff.tables import table_changes

        return table_changes(opening.open(self.storage, ref), self)

    def tags(self) -> list[str]:
        """The tags of all releases; no release is read."""
        if self.format == 1:  # where they are rows
            return [release.tag for release in self.releases()]
        return tags_in(self.storage)

    def next_tag(self) -> str:
        """The tag after the last of v1, v2 …"""
        self.refuse_old_format()
        tags = (re.fullmatch(r"v([0-9]+)", tag) for tag in tags_in(self.storage))
        number = 1 + max((int(found[1]) for found in tags if found), default=0)
        if isinstance(self.storage, Versioned):  # somebody gave it to a commit or branch by hand
            while self.storage.has_tag(f"v{number}") or self.storage.has_branch(f"v{number}"):
                number += 1
        return f"v{number}"

    def select(self, name: str, recipe: str, policy: Policy, code: str) -> Catalog:
        """The catalog at this selection under this policy, for a build to fill.

        `main` stays what it was until :meth:`become_main`. `name` has letters, digits and `-`.
        """
        self._refuse_if_read_only()
        new = Selection(name, recipe, code, _now())
        described = dataclasses.asdict(new)
        del described["decided_by"]  # a document each, since builds may add theirs at once
        self.storage.create(new.key, json.dumps(described, sort_keys=True).encode())
        decides = json.dumps(policy.document(), sort_keys=True).encode()
        self.storage.create(f"{new.policies}/{policy.key}.json", decides)
        shared = selection_of(self.storage, name) or new  # by recipes that make the same rows
        selection = dataclasses.replace(shared, recipe=recipe)
        return Catalog(self.storage, MAIN, selection, policy)

    @contextmanager
    def being_built(self) -> Iterator[None]:
        """While a build fills the selection. If it does not end well, the selection counts as
        unfinished until one does: only a build releases it."""
        before = [each.key for each in self.storage.list(self.selection.building)]
        mine = f"{self.selection.building}/{uuid.uuid4().hex}.json"
        self.storage.write(mine, json.dumps({"began": _now()}).encode())
        yield
        self.storage.delete([*before, mine])

    @property
    def unfinished(self) -> bool:
        """Whether a build is filling the selection, or was stopped in it."""
        return any(self.storage.list(self.selection.building))

    def refuse_if_unfinished(self) -> None:
        """Raises EditmillError where the selection is :attr:`unfinished`."""
        if self.unfinished:
            raise EditmillError(
                f"{self.uri}: {MAIN!r} is not finished: a build is filling it, or was stopped; run "
                "the build to its end, or name a release"
            )

    def become_main(self) -> None:
        """Let `main` be this selection under this policy, for whoever opens the catalog next."""
        self._refuse_if_read_only()
        assert self.policy is not None
        pointer = {
            "selection": self.selection.name,
            "policy": self.policy.document(),
            "recipe": self.selection.recipe,
        }
        document = json.dumps(pointer, sort_keys=True).encode()
        if document != self.storage.read(POINTER):
            self.storage.write(POINTER, document)

    def release(
        self,
        tag: str,
        recipe: str = "",
        notes: str = "",
        *,
        code: str = "",
        models: Mapping[str, Any] | None = None,
        without: Collection[str] = (),
    ) -> Release:
        """Release what `main` holds now, under `tag`.

        Where nothing changed since a release, neither rows nor recipe nor policy, that release is
        returned, under the tag it has. Raises EditmillError for a tag that is taken by other
        content or is no name (letters, digits, `.`, `_`, `-`; at most 64; not `main`), and on an
        empty catalog.
        """
        self._refuse_if_read_only()
        versions = {table: self.tables.version(table) for table in VERSIONED}
        pins = {table: version for table, version in versions.items() if version is not None}
        if not pins:
            raise EditmillError(f"{self.uri}: has nothing to release; run a build first")
        return self._publish(
            Release(
                tag=tag,
                created_at=_now(),
                tables=pins,
                recipe=recipe,
                notes=notes,
                selection=self.selection.name,
                policy={} if self.policy is None else self.policy.document(),
                decided_by=list(self._decided_by()),
                without=sorted(without),
                code=code,
                models=dict(models or {}),
            )
        )

    def decide(self, tag: str, policy: Policy, notes: str = "") -> Release:
        """Release the very rows of this ref under another policy; no row is read or written.

        At `main`, what it holds now. Raises EditmillError for a tag as :meth:`release` does.
        """
        self.refuse_old_format()
        if self._release is None:
            self.refuse_if_unfinished()
            old = Release(
                "",
                "",
                {t: v for t in VERSIONED if (v := self.tables.version(t)) is not None},
                self.selection.recipe,
                "",
                self.selection.name,
                decided_by=list(self._decided_by()),
                code=self.selection.code,
            )
        else:
            old = self._release
        decided = dataclasses.replace(
            old, tag=tag, created_at=_now(), notes=notes, policy=policy.document(), counts={}
        )
        return self._publish(decided)

    def counts(self) -> dict[str, Any]:
        """Rows per table, of each task the pairs `made` and `kept`, and the tallies of
        :mod:`catalog.releases.counts`. Releases have them in their documents, but not older ones.
        """
        if self._release is not None and TALLIES.keys() <= self._release.counts.keys():
            return self._release.counts
        return count(self)

    def compact(self) -> None:
        """Join the tables' small files and drop old versions, but none a release pins."""
        self._refuse_if_read_only()
        pins: dict[str, list[int]] = {}
        for release in self.releases():
            for table, version in release.tables.items():
                if table in SHARED or release.selection == self.selection.name:
                    pins.setdefault(table, []).append(version)
        self.tables.compact(pins)

    def __repr__(self) -> str:
        return f"<Catalog {self.uri!r} at {self.ref!r}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: pairs per task, the tables with their rows, and the releases."""
        from catalog.notebook.cells import catalog_cell

        return catalog_cell(self)

    def _decided_by(self) -> tuple[str, ...]:
        """Keys of all policies under which the rows' verdicts were written. To be asked after the
        tables: another build, with other thresholds, may be writing to them."""
        if self._release is None and (now := selection_of(self.storage, self.selection.name)):
            return now.decided_by
        return self.selection.decided_by

    def _publish(self, release: Release) -> Release:
        check_tag(release.tag)
        return publish(self._held(release), release)

    def _held(self, release: Release) -> Catalog:
        """What the release holds."""
        selection = dataclasses.replace(self.selection, decided_by=tuple(release.decided_by))
        policy = Policy.from_document(release.policy) if release.policy else None
        held = Catalog(self.storage, release.tag, selection, policy, release)
        held.tables = self.tables.pinned_at(release.tables, release.without)
        return held

    def refuse_old_format(self) -> None:
        """Raises EditmillError where the catalog must be upgraded before anything is written."""
        if self.format != FORMAT:
            raise EditmillError(
                f"{self.uri}: has catalog format {self.format}, which is only read; bring it to "
                f"format {FORMAT} with: editmill upgrade --catalog {self.uri}"
            )

    def _refuse_if_read_only(self) -> None:
        self.refuse_old_format()
        if self._read_only:
            raise EditmillError(
                f"{self.uri}: release {self.ref!r} is read-only; open the catalog at {MAIN!r}"
            )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
