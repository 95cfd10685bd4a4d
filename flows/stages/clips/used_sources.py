"""Which sources a build uses, and which those before it did: a table on disk, since there may be
any number of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from catalog.delta.scratch import scratch_tables, written

_TABLE = """
create table sources (
    id text primary key, earlier text, name text, licence text, also text, compared integer
) without rowid
"""

AT_ONCE = 500
"""Sources whose further names are read at once."""


class UsedSources:
    """Sources by id; for one thread. Raises EditmillError where the disk is full."""

    def __init__(self) -> None:
        self._rows = scratch_tables(_TABLE)

    def used_earlier(self, sources: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Earlier builds used these, under these names."""
        with written(self._rows):
            self._rows.executemany(
                "insert or replace into sources (id, earlier) values (?, ?)",
                [(source_id, json.dumps(list(names))) for source_id, names in sources],
            )

    def earlier(self, source_id: str) -> list[str] | None:
        """Its names in earlier builds; None where they did not use it, or this one has come to
        it."""
        found = self._of(source_id, "earlier")
        return None if found is None else json.loads(found)

    def forget_earlier(self) -> None:
        """What this build did not come to is there no more."""
        with written(self._rows):
            self._rows.execute("update sources set earlier = null")

    def use(self, source_id: str, name: str, licence: str) -> None:
        """The build uses it."""
        self._set(source_id, earlier=None, name=name, licence=licence)

    def used(self, source_id: str) -> tuple[str, str] | None:
        """Name and licence of a source that the build uses."""
        found: tuple[str, str] | None = self._rows.execute(
            "select name, licence from sources where id = ? and name is not null", (source_id,)
        ).fetchone()
        return found

    def compare(self, source_id: str) -> bool:
        """Whether others are not compared with it yet; from now on they are."""
        if self._of(source_id, "compared") is not None:
            return False
        self._set(source_id, compared=1)
        return True

    def also(self, source_id: str, names: Sequence[str]) -> None:
        """It was found under these names, too."""
        met = json.loads(self._of(source_id, "also") or "[]")
        self._set(source_id, also=json.dumps(list(dict.fromkeys([*met, *names]))))

    def with_further_names(self) -> Iterator[dict[str, list[str]]]:
        """Names of those that have, or had, several; :data:`AT_ONCE` sources at a time."""
        found = self._rows.execute("select id, also from sources where also is not null")
        while some := found.fetchmany(AT_ONCE):
            yield {source_id: json.loads(also) for source_id, also in some}

    def _of(self, source_id: str, column: str) -> str | None:
        asked = self._rows.execute(f"select {column} from sources where id = ?", (source_id,))
        found = asked.fetchone()
        return found and found[0]

    def _set(self, source_id: str, **values: str | int | None) -> None:
        columns, changed = ", ".join(values), ", ".join(f"{name} = ?" for name in values)
        places = ", ".join("?" * len(values))
        with written(self._rows):
            self._rows.execute(
                f"insert into sources (id, {columns}) values (?, {places}) "
                f"on conflict (id) do update set {changed}",
                (source_id, *values.values(), *values.values()),
            )
