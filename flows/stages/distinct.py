"""Of sources that show the same video one is used. The driver chooses, since it sees them all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from catalog.errors import EditmillError
from catalog.records import Source
from filters.footage.duplicates.fingerprint import Fingerprint
from filters.footage.duplicates.index import DuplicateIndex
from flows.runtime.context import Context
from flows.stages.look import STAGE, Look, failure


class Distinct:
    """Takes the looks of a build in the order of its sources, and gives back those to be used.

    A source that an earlier build used stays in use as long as it is there, wherever it stands in
    the order: what was made of it need not be made again.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._index = DuplicateIndex()
        self._indexed: set[str] = set()
        self._names: dict[str, str] = {}  # of the sources in use, by id
        self._before: set[str] = set()  # used by earlier builds and not met yet
        self._waiting: list[Look] = []  # they show what one of those does, which may be gone
        rows = ctx.catalog.tables.scan("sources").select("source_id", "fingerprint").collect()
        for source_id, fingerprint in rows.iter_rows():
            self._before.add(source_id)
            if fingerprint:  # none in rows of an earlier format
                with suppress(EditmillError):  # another version of the code made it
                    self._add(source_id, fingerprint)

    def take(self, looks: Sequence[Look]) -> list[Look]:
        """Those of the looks that are used, but for the ones that :meth:`rest` tells."""
        return [look for look in looks if self._is_used(look)]

    def rest(self) -> list[Look]:
        """To be called when all looks were taken: those whose double was there no more. Where not
        all footage could be listed, it may be there still, and they wait for another build."""
        if not self._ctx.incomplete:
            self._before.clear()
        waiting, self._waiting = self._waiting, []
        return [look for look in waiting if self._is_used(look)]

    def _is_used(self, look: Look) -> bool:
        source = look.source
        if source.source_id in self._before:
            self._before.remove(source.source_id)
            self._use(source)
            return True
        if source.source_id in self._names:
            self._refuse(look, f"same content as {self._names[source.source_id]}, which is used")
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
        if source.source_id not in self._indexed:
            self._add(source.source_id, source.fingerprint)

    def _add(self, source_id: str, fingerprint: str) -> None:
        self._index.add(source_id, Fingerprint.load(fingerprint))
        self._indexed.add(source_id)

    def _refuse(self, look: Look, why: str) -> None:
        name = look.file.name
        row = failure(look.file, "duplicate", f"{name}: {why}")
        self._ctx.catalog.tables.put("failures", {f"{STAGE}/double {name}": [row]})
        self._ctx.stats.refuse(STAGE)
