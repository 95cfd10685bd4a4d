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
from flows.stages.clips.used_sources import UsedSources

BATCH = 1000
"""Rows of earlier builds' sources that are read at once."""


class Distinct:
    """Takes the looks of a build in the order of its sources, and gives back those to be used.

    A source that an earlier build used stays in use as long as it is there, wherever it stands in
    the order: what was made of it need not be made again. Its row names every place where the same
    content was found, so that it can be forgotten by any of them.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._index = DuplicateIndex()
        self._sources = UsedSources()
        self._waiting: list[Look] = []  # they show what an earlier build used, which may be gone
        rows = ctx.catalog.tables.scan("sources").select("source_id", "fingerprint", "names")
        for some in rows.collect_batches(chunk_size=BATCH, maintain_order=True, lazy=True):
            self._sources.used_earlier([(row[0], row[2] or []) for row in some.iter_rows()])
            for source_id, fingerprint, _ in some.iter_rows():
                if fingerprint:  # none in rows of an earlier format
                    with suppress(EditmillError):  # another version of the code made it
                        self._compare(source_id, Fingerprint.load(fingerprint))

    def take(self, looks: Sequence[Look]) -> list[Look]:
        """Those of the looks that are used, but for the ones that :meth:`rest` tells."""
        return [used for look in looks if (used := self._used(look))]

    def rest(self) -> list[Look]:
        """To be called when all looks were taken: those whose double was there no more. Where not
        all footage could be listed, it may be there still, and they wait for another build."""
        if not self._ctx.incomplete:
            self._sources.forget_earlier()
        waiting, self._waiting = self._waiting, []
        return [used for look in waiting if (used := self._used(look))]

    def write_names(self) -> None:
        """To be called when all that is used was cut: the rows get the names that were met, and no
        others unless not all footage could be listed."""
        tables = self._ctx.catalog.tables
        for met in self._sources.with_further_names():
            rows = tables.scan("sources").filter(pl.col("source_id").is_in(list(met))).collect()
            parts = {}
            for row in rows.iter_rows(named=True):
                source = from_row(Source, row)
                known = source.names if self._ctx.incomplete else [source.name]
                names = list(dict.fromkeys([*known, *met[source.source_id]]))
                parts[source.source_id] = [dataclasses.replace(source, names=names)]
            tables.put("sources", parts)

    def _used(self, look: Look) -> Look | None:
        """The look if it is used, under the names that its row has: which of them are gone is known
        at the end, and a row that stays the same is not written twice."""
        source_id, met = look.source.source_id, look.source.names
        known = self._sources.earlier(source_id) or []
        if not self._is_used(look):
            return None
        if set(known) <= set(met):
            return look
        self._sources.also(source_id, met)
        names = list(dict.fromkeys([*met, *known]))
        return dataclasses.replace(look, source=dataclasses.replace(look.source, names=names))

    def _is_used(self, look: Look) -> bool:
        source, sources = look.source, self._sources
        if sources.earlier(source.source_id) is not None:
            self._use(source)
            return True
        if used := sources.used(source.source_id):
            self._merge(look, *used)
            return False
        if not self._ctx.recipe.footage.duplicates:
            self._use(source)
            return True
        same = [found for found, _ in self._index.find(Fingerprint.load(source.fingerprint))]
        if used := next((used for each in same if (used := sources.used(each))), None):
            self._refuse(
                look,
                f"shows the same video as {used[0]}, which is used; to use both, set "
                "footage.duplicates to false",
            )
            return False
        if any(sources.earlier(each) is not None for each in same):
            self._waiting.append(look)
            return False
        self._use(source)
        return True

    def _use(self, source: Source) -> None:
        self._sources.use(source.source_id, source.name, source.licence)
        self._compare(source.source_id, Fingerprint.load(source.fingerprint))

    def _compare(self, source_id: str, fingerprint: Fingerprint) -> None:
        """Others are compared with it from now on."""
        if self._sources.compare(source_id):
            self._index.add(source_id, fingerprint)

    def _merge(self, look: Look, name: str, licence: str) -> None:
        """The source in use, of this name and licence, has this look's names, too."""
        source = look.source
        self._sources.also(source.source_id, [*source.names, source.uri])
        self._note(look, same_content(look.file, name, licence))

    def _refuse(self, look: Look, why: str) -> None:
        self._note(look, failure(look.file, "duplicate", f"{look.file.name}: {why}"))

    def _note(self, look: Look, row: Failure) -> None:
        name = look.file.name
        self._ctx.catalog.tables.put("failures", {f"{STAGE}/double {name}": [row]})
        self._ctx.stats.refuse(STAGE)
