"""Which clips a build's shards have, and the sample of objects that swaps may take: a table on disk
with an index, since a build has any number of clips and the driver no room for them.

It is this build's, so that a clip that an earlier one made of footage now gone lends nothing.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator

from catalog.delta.scratch import scratch_tables, written
from experts.plan.bank import MAX_PER_LABEL, rank
from flows.runtime.shard import Shard
from flows.stages.recorded import ClipReference

_TABLES = """
create table clips (shard text, clip text primary key, source text, reference text);
create index by_source on clips (source);
create table shards (number integer primary key, name text);
create table objects (label text, rank text, clip text, track text);
create index by_label on objects (label, rank);
"""


class DonorIndex:
    """A context manager; for one thread."""

    def __init__(self) -> None:
        self._rows = scratch_tables(_TABLES)

    def add(self, shard: Shard[ClipReference]) -> None:
        """A shard's clips, whose objects may be donors."""
        with written(self._rows):
            self._rows.execute("insert into shards (name) values (?)", (shard.name,))
            for clip in shard:
                own = clip.clip
                row = (shard.name, own.clip_id, own.source_id, json.dumps(clip.row()))
                self._rows.execute("insert or replace into clips values (?, ?, ?, ?)", row)
                self._rows.executemany(
                    "insert into objects values (?, ?, ?, ?)",
                    [(label, rank(track), own.clip_id, track) for track, label in clip.tracks],
                )

    def sample(self) -> list[ClipReference]:
        """The objects that are offered to every source, and no others of their clips:
        MAX_PER_LABEL of each label, the first by rank."""
        tracks: dict[str, list[tuple[str, str]]] = {}
        for (label,) in self._rows.execute("select distinct label from objects order by label"):
            found = self._rows.execute(
                "select clip, track from objects where label = ? order by rank limit ?",
                (label, MAX_PER_LABEL),
            )
            for clip, track in found:
                tracks.setdefault(clip, []).append((track, label))
        return [
            dataclasses.replace(each, tracks=tuple(offered))
            for clip, offered in tracks.items()
            for each in self._clips("clip = ?", clip)
        ]

    def shards(self) -> Iterator[tuple[Shard[ClipReference], list[ClipReference]]]:
        """Every shard in the order in which it was added, with all clips of its sources."""
        last = 0
        while row := self._rows.execute(
            "select number, name from shards where number > ? order by number", (last,)
        ).fetchone():
            last, name = row
            shard = Shard(self._clips("shard = ?", name), name)
            sources = dict.fromkeys(each.clip.source_id for each in shard)
            yield shard, [each for s in sources for each in self._clips("source = ?", s)]

    def _clips(self, where: str, value: str) -> Iterable[ClipReference]:
        found = self._rows.execute(
            f"select reference from clips where {where} order by rowid", (value,)
        )
        for (row,) in found.fetchall():
            yield ClipReference.of_row(json.loads(row))

    def __enter__(self) -> DonorIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()
