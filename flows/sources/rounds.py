"""Sections that read a list of videos, all of it or a portion with each build.

Which videos a round took is kept by digests of their identities. So what is inserted into a list
moves nobody, what is taken out of it leaves, and a link that was signed anew is the same video.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pydantic import Field

from catalog.errors import EditmillError
from catalog.keys import digest
from flows.sources.files.file import Unreachable
from flows.sources.source import Answers, Listing, RemoteSection, RemoteVideo

MOST_VIDEOS = 20_000_000
"""In a list: a few kilobytes of Parquet can hold rows enough to fill the memory."""

LOOK = 1000
"""Videos of a list between two looks for a stop."""


REMOTE = re.compile(r"[a-z0-9]+://")
"""The beginning of what does not lie on this machine."""


class NoAnswers:
    """`flows.sources.source.Answers` of no build: nothing was asked before, and nothing is kept."""

    def get(self, key: str) -> dict[str, Any] | None:
        return None

    def put(self, key: str, answer: dict[str, Any]) -> None: ...

    def rounds(self, search: str) -> int:
        return 1

    def check_stop(self) -> None: ...


@dataclass(slots=True)
class Remarks:
    """What was come across beside videos."""

    left_out: Counter[str] = field(default_factory=Counter)  # by what it is: `no video by its name`
    notes: list[str] = field(default_factory=list)
    incomplete: bool = False  # something did not answer

    def lines(self, where: str) -> list[str]:
        counts = ", ".join(f"{count} {what}" for what, count in sorted(self.left_out.items()))
        return [*([f"Left out of {where}: {counts}"] if counts else []), *self.notes]


class ListSection(RemoteSection):
    """Footage that a list names: a table of links, the members of tars, the objects of a bucket."""

    # Videos in all; None: the whole list.
    limit: int | None = Field(default=None, ge=1, le=MOST_VIDEOS)
    # Videos that each build adds; None: all.
    per_build: int | None = Field(default=None, ge=1, le=MOST_VIDEOS)
    licence: str = "unknown"  # of every video whose row names none

    def find(self, answers: Answers) -> Listing[RemoteVideo]:
        remarks = Remarks()
        found = chosen(
            _while_answered(self.videos(answers, remarks), remarks),
            answers,
            digest(type(self).__name__, self.where()),
            limit=self.limit,
            per_build=self.per_build,
            remarks=remarks,
        )
        notes = remarks.lines(self.where())
        if not found and not remarks.incomplete and not self.per_build:
            raise EditmillError(
                f"{self.where()}: no video in it; correct the recipe's `sources`"
                + "".join(f" ({note})" for note in notes)
            )
        return Listing(found, notes, remarks.incomplete)

    def outlook(self) -> str:
        where = self.where()
        adds = f"each build adds up to {self.per_build}" if self.per_build else "a build takes all"
        if self.limit is not None:
            adds += f", no more than {self.limit} altogether"
        if any(REMOTE.match(place) for place in self.places()):
            return f"{where}: lies elsewhere and was not asked; of its videos {adds}"
        remarks = Remarks()
        identities = {video.identity for video in self.videos(NoAnswers(), remarks)}
        notes = "".join(f" ({line})" for line in remarks.lines(where))
        if not identities:
            raise EditmillError(f"{where}: no video in it; correct the recipe's `sources`{notes}")
        return f"{where}: names {len(identities)} videos, of which {adds}{notes}"

    def places(self) -> tuple[str, ...]:
        """The paths and URIs of what makes the list, as the recipe has them."""
        raise NotImplementedError

    def where(self) -> str:
        """The list as the recipe names it; what its rounds are kept under."""
        raise NotImplementedError

    def videos(self, answers: Answers, remarks: Remarks) -> Iterator[RemoteVideo]:
        """Every video of the list in a lasting order, read as far as it is asked for.

        One may come twice. Raises EditmillError where the section is wrong.
        """
        raise NotImplementedError


def chosen(
    videos: Iterable[RemoteVideo],
    answers: Answers,
    search: str,
    *,
    limit: int | None,
    per_build: int | None,
    remarks: Remarks,
) -> list[RemoteVideo]:
    """Each video once: at most `limit`, and `per_build` for each round of the search until now;
    those of earlier rounds first, in their order, as far as the list still has them."""
    videos = _stoppable(videos, answers)
    if per_build is None:
        every: dict[str, RemoteVideo] = {}
        for video in videos:
            _add(every, video.identity, video, remarks)
            if len(every) == limit:
                break
        return list(every.values())
    open_rounds: list[str] = []
    earlier: dict[str, RemoteVideo | None] = {}  # by digest, in their order
    for number in range(1, answers.rounds(search) + 1):
        key = digest(search, number)
        taken = answers.get(key)
        if taken is None:
            open_rounds.append(key)
        else:
            earlier |= dict.fromkeys(taken["videos"])
    missing = len(earlier)
    room = per_build * len(open_rounds)
    if limit is not None:
        room = min(room, max(0, limit - len(earlier)))
    new: dict[str, RemoteVideo] = {}
    for video in videos if missing or room else ():
        name = digest(video.identity)
        if name in earlier:
            missing -= earlier[name] is None
            earlier[name] = earlier[name] or video
        elif len(new) < room or name in new:
            _add(new, name, video, remarks)
        if not missing and len(new) == room:
            break
    if not remarks.incomplete:  # what did not answer may answer the same build when it goes on
        names = iter(new)
        for key in open_rounds:
            answers.put(key, {"videos": list(islice(names, per_build))})
    return [video for video in earlier.values() if video is not None][:limit] + list(new.values())


def _while_answered(videos: Iterable[RemoteVideo], remarks: Remarks) -> Iterator[RemoteVideo]:
    try:
        yield from videos
    except Unreachable as error:
        remarks.notes.append(str(error))
        remarks.incomplete = True


def _add(found: dict[str, RemoteVideo], name: str, video: RemoteVideo, remarks: Remarks) -> None:
    if name in found:
        remarks.left_out["named twice"] += 1
    else:
        found[name] = video


def _stoppable(videos: Iterable[RemoteVideo], answers: Answers) -> Iterator[RemoteVideo]:
    for number, video in enumerate(videos):
        if number % LOOK == 0:
            answers.check_stop()
        if number == MOST_VIDEOS:
            raise EditmillError(
                f"a list in the recipe's `sources` names more than {MOST_VIDEOS} videos; split it"
            )
        yield video
