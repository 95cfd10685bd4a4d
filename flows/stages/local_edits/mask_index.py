"""Which clips a build has, and which of their objects may lend a mask: a table on disk with an
index, since a build has any number of clips and the driver no room for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from catalog.delta.scratch import scratch_tables, written
from catalog.records import Clip
from experts.annotate.clip import AnnotatedClip
from experts.local_edits.donors import MaskDonor, donors_of, place_of, places_from
from experts.local_edits.draw import DraftedClip
from experts.local_edits.rules import Records
from flows.stages.recorded import ClipReference, reference

_TABLES = """
create table clips (number integer primary key, clip text unique, source text, reference text);
create table donors (
    place text primary key, source text, clip text, track text, first integer, frames integer
) without rowid;
"""


@dataclass(frozen=True, slots=True)
class LentObject:
    """A :class:`MaskDonor` by reference."""

    lender: ClipReference
    track_id: str
    first: int
    frames: int


@dataclass(frozen=True, slots=True)
class BorrowingClip:
    """A clip by reference, with the objects of other sources that lend it their masks."""

    reference: ClipReference
    lent: tuple[LentObject, ...]

    @property
    def clip(self) -> Clip:
        return self.reference.clip

    @property
    def references(self) -> tuple[ClipReference, ...]:
        """Of all clips that must be read for it."""
        return self.reference, *(each.lender for each in self.lent)


class MaskIndex:
    """A context manager; for one thread. Clips are offered by the recipe's `rules` and `seed`."""

    def __init__(self, rules: Records, seed: int) -> None:
        self._rules, self._seed = rules, seed
        self._rows = scratch_tables(_TABLES)

    def __len__(self) -> int:
        """Clips that were added."""
        return int(self._rows.execute("select count(*) from clips").fetchone()[0])

    def add(self, shard: Sequence[AnnotatedClip]) -> None:
        """Clips, whose objects may lend their masks."""
        with written(self._rows):
            for each in shard:
                clip, row = each.clip, json.dumps(reference(each).row())
                self._rows.execute(
                    "insert into clips (clip, source, reference) values (?, ?, ?)",
                    (clip.clip_id, clip.source_id, row),
                )
                self._rows.executemany(
                    "insert into donors values (?, ?, ?, ?, ?, ?)",
                    [
                        (place_of(own), clip.source_id, clip.clip_id, own, one.first, one.frames)
                        for one in donors_of(each, self._rules)
                        for own in [one.track.track_id]
                    ],
                )

    def clips(self) -> Iterator[BorrowingClip]:
        """Every clip in the order in which it was added, to be asked for when all were."""
        last = 0
        while row := self._rows.execute(
            "select number, source, reference from clips where number > ? order by number", (last,)
        ).fetchone():
            last, source, text = row
            own = ClipReference.of_row(json.loads(text))
            yield BorrowingClip(own, tuple(self._lent(own.clip.clip_id, source)))

    def _lent(self, clip_id: str, source: str) -> Iterator[LentObject]:
        chosen: set[str] = set()
        for place in places_from(clip_id, self._rules, self._seed):
            found = next((d for d in self._from(place, source) if d[0] not in chosen), None)
            if found is None:  # all have lent by now
                return
            track, clip, first, frames = found
            chosen.add(track)
            (text,) = self._rows.execute(
                "select reference from clips where clip = ?", (clip,)
            ).fetchone()
            yield LentObject(ClipReference.of_row(json.loads(text)), track, first, frames)

    def _from(self, place: str, source: str) -> Iterator[tuple[str, str, int, int]]:
        """The donors of other sources, once round the circle from this place."""
        columns = "select track, clip, first, frames from donors"
        for part in ("place >= ?", "place < ?"):
            yield from self._rows.execute(
                f"{columns} where {part} and source <> ? order by place", (place, source)
            )

    def __enter__(self) -> MaskIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()


def with_lent(borrowing: BorrowingClip, clips: Mapping[str, AnnotatedClip]) -> DraftedClip:
    """The clip with its donors, no drafts yet; `clips` by id has all that it refers to."""
    own, donors = clips[borrowing.clip.clip_id], {}
    for each in borrowing.lent:
        lender = clips[each.lender.clip.clip_id]
        track = next(t for t in lender.tracks if t.track_id == each.track_id)
        donors[track.track_id] = MaskDonor(lender.clip, track, each.first, each.frames)
    drawable = frozenset(track.track_id for track in own.named)
    return DraftedClip(own.clip, own.tracks, donors, [], drawable)


def lend(annotated: Sequence[AnnotatedClip], rules: Records, seed: int) -> list[DraftedClip]:
    """These clips, with donors from among them."""
    clips = {each.clip.clip_id: each for each in annotated}
    with MaskIndex(rules, seed) as index:
        index.add(annotated)
        return [with_lent(each, clips) for each in index.clips()]
