"""Of sources that show the same video one is used. The driver chooses, since it sees them all."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import suppress

import polars as pl

from catalog.errors import EditmillError
from catalog.records import Failure, Source, from_row
from filters.footage.duplicates.fingerprint import Fingerprint
from filters.footage.duplicates.index import DuplicateIndex
from flows.runtime.context import Context
from flows.stages.clips.look import STAGE, Look, failure, same_content


class Distinct:
    """Takes the looks of a build in the order of its sources, and gives back those to be used.

    A source that an earlier build used stays in use as long as it is there, wherever it stands in
    the order: what was made of it need not be made again. Its row names every place where the same
    content was found, so that it can be forgotten by any of them.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._index = DuplicateIndex()
        self._indexed: set[str] = set()
        self._names: dict[str, str] = {}  # of the sources in use, by id
        self._licences: dict[str, str] = {}  # of the same
        self._met: dict[str, list[str]] = {}  # all names of those that have, or had, several
        self._before: dict[str, list[str]] = {}  # names of what earlier builds used, not met yet
        self._waiting: list[Look] = []  # they show what one of those does, which may be gone
        rows = ctx.catalog.tables.scan("sources").select("source_id", "fingerprint", "names")
        for source_id, fingerprint, names in rows.collect().iter_rows():
            self._before[source_id] = names or []
            if fingerprint:  # none in rows of an earlier format
                with suppress(EditmillError):  # another version of the code made it
                    self._add(source_id, fingerprint)

    def take(self, looks: Sequence[Look]) -> list[Look]:
        """Those of the looks that are used, but for the ones that :meth:`rest` tells."""
        return [used for look in looks if (used := self._used(look))]

    def rest(self) -> list[Look]:
        """To be called when all looks were taken: those whose double was there no more. Where not
        all footage could be listed, it may be there still, and they wait for another build."""
        if not self._ctx.incomplete:
            self._before.clear()
        waiting, self._waiting = self._waiting, []
        return [used for look in waiting if (used := self._used(look))]

    def write_names(self) -> None:
        """To be called when all that is used was cut: the rows get the names that were met, and no
        others unless not all footage could be listed."""
        ids, tables = list(self._met), self._ctx.catalog.tables
        rows = tables.scan("sources").filter(pl.col("source_id").is_in(ids)).collect()
        parts = {}
        for row in rows.iter_rows(named=True):
            source = from_row(Source, row)
            known = source.names if self._ctx.incomplete else [source.name]
            names = list(dict.fromkeys([*known, *self._met[source.source_id]]))
            parts[source.source_id] = [dataclasses.replace(source, names=names)]
        tables.put("sources", parts)

    def _used(self, look: Look) -> Look | None:
        """The look if it is used, under the names that its row has: which of them are gone is known
        at the end, and a row that stays the same is not written twice."""
        known = self._before.get(look.source.source_id, [])
        if not self._is_used(look):
            return None
        if set(known) <= set(look.source.names):
            return look
        self._met[look.source.source_id] = look.source.names
        names = list(dict.fromkeys([*look.source.names, *known]))
        return dataclasses.replace(look, source=dataclasses.replace(look.source, names=names))

    def _is_used(self, look: Look) -> bool:
        source = look.source
        if self._before.pop(source.source_id, None) is not None:
            self._use(source)
            return True
        if source.source_id in self._names:
            self._merge(look)
            return False
        if not self._ctx.recipe.footage.duplicates:
            self._use(source)
            return True
        same = [found for found, _ in self._index.find(Fingerprint.load(source.fingerprint))]
        used = next((self._names[each] for each in same if each in self._names), None)
        if used is not None:
            self._refuse(
                look,
                f"shows the same video as {used}, which is used; to use both, set "
                "footage.duplicates to false",
            )
            return False
        if any(each in self._before for each in same):
            self._waiting.append(look)
            return False
        self._use(source)
        return True

    def _use(self, source: Source) -> None:
        self._names[source.source_id] = source.name
        self._licences[source.source_id] = source.licence
        if source.source_id not in self._indexed:
            self._add(source.source_id, source.fingerprint)

    def _add(self, source_id: str, fingerprint: str) -> None:
        self._index.add(source_id, Fingerprint.load(fingerprint))
        self._indexed.add(source_id)

    def _merge(self, look: Look) -> None:
        """The source in use has this look's names, too."""
        source, used = look.source, look.source.source_id
        met = self._met.setdefault(used, [])
        self._met[used] = list(dict.fromkeys([*met, *source.names, source.uri]))
        self._note(look, same_content(look.file, self._names[used], self._licences[used]))

    def _refuse(self, look: Look, why: str) -> None:
        self._note(look, failure(look.file, "duplicate", f"{look.file.name}: {why}"))

    def _note(self, look: Look, row: Failure) -> None:
        name = look.file.name
        self._ctx.catalog.tables.put("failures", {f"{STAGE}/double {name}": [row]})
        self._ctx.stats.refuse(STAGE)
