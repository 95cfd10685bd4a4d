"""Finding releases by what they hold, without reading them all.

Beside the releases' documents lies an empty object for each, whose key tells all that is asked:
`releases/index/<counted>/<number>-<content>-<tag>`. So one listing finds the newest number, a
release of given content, and the one that a new release's counts start from. Each object is of one
release, so releases made at once do not disturb each other. What the index says is a hint: a
release that it lacks (of an older version of editmill, or of a build that was stopped) is added by
the next that looks and may write, and one that it finds is read and compared before it counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from catalog.errors import EditmillError
from catalog.keys import digest
from catalog.layout import age, release_of, tags_in
from catalog.records import Release
from catalog.storage.location import Storage
from catalog.storage.parallel import REQUESTS, every
from catalog.tables import Tables

FOLDER = "releases/index"

_KEY = re.compile(rf"{FOLDER}/([0-9a-f]{{32}})/([0-9]+)-([0-9a-f]{{32}})-([^/]+)")


@dataclass(frozen=True, order=True, slots=True)
class Entry:
    """A release in the index."""

    number: int
    tag: str
    content: str  # equal for releases of the same rows under the same recipe and policy
    counted: str  # equal for those of one selection whose pairs have the same verdicts

    @property
    def key(self) -> str:
        """Of its object."""
        return f"{FOLDER}/{self.counted}/{self.number:08}-{self.content}-{self.tag}"


def entry_of(storage: Storage, release: Release) -> Entry:
    """The release's entry; reads a commit of each table, or some where its files were joined."""
    tables = Tables(storage, release.selection)

    def last_change(pin: tuple[str, int]) -> int:
        return tables.last_change(*pin)

    changes = every(storage, last_change, release.tables.items())
    return Entry(
        release.number,
        release.tag,
        digest(
            release.selection,
            release.recipe,
            release.policy,
            release.without,
            dict(zip(release.tables, changes, strict=True)),
        ),
        digest(release.selection, release.policy, release.without, release.decided_by),
    )


def entries(storage: Storage) -> list[Entry]:
    """Of all releases there are, the oldest first; adds those that lack, and deletes those of
    releases that were removed: another may have that tag later."""
    names = [_KEY.fullmatch(each.key) for each in storage.list(FOLDER)]
    tags = set(tags_in(storage))  # behind: a release has its document before its entry
    listed = [Entry(int(m[2]), m[4], m[3], m[1]) for m in names if m]
    known = [each for each in listed if each.tag in tags]
    lacking = sorted(tags - {each.tag for each in known})
    found = every(storage, lambda tag: release_of(storage, tag), lacking)
    added = [entry_of(storage, release) for release in found if release is not None]
    with suppress(EditmillError):  # keys that may only read; whoever writes mends it
        storage.delete(each.key for each in listed if each.tag not in tags)
        for entry in added:
            storage.create(entry.key, b"")
    return sorted([*known, *added])


def add(storage: Storage, release: Release) -> None:
    """Have the index hold the release."""
    storage.create(entry_of(storage, release).key, b"")


def newest(storage: Storage, among: Iterable[Entry]) -> Release | None:
    """The newest of these releases that is what its entry says; None where none is."""
    for entry in sorted(among, reverse=True):
        release = release_of(storage, entry.tag)
        if release is not None and entry_of(storage, release) == entry:
            return release
    return None


def newest_first(storage: Storage) -> Iterator[Release]:
    """All releases, the newest first; each is read when it is come to, or shortly before."""
    tags: dict[int, set[str]] = {}  # by number, which releases made at once may share
    for entry in entries(storage):
        tags.setdefault(entry.number, set()).add(entry.tag)
    unnumbered = tags.pop(0, set())  # of before releases had numbers
    numbers, ahead = sorted(tags, reverse=True), 1
    while numbers:
        now, numbers = numbers[:ahead], numbers[ahead:]
        yield from _newest_first(storage, [(number, tag) for number in now for tag in tags[number]])
        ahead = min(2 * ahead, REQUESTS)  # most ask for one of the last, some for none there is
    yield from _newest_first(storage, [(0, tag) for tag in unnumbered])


def _newest_first(storage: Storage, numbered: Iterable[tuple[int, str]]) -> list[Release]:
    """Those that are there of these releases, under these numbers, the newest first."""
    found = every(storage, lambda entry: (release_of(storage, entry[1]), entry[0]), numbered)
    there = [each for each, number in found if each is not None and each.number == number]
    return sorted(there, key=age, reverse=True)
