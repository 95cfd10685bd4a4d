"""Videos in WebDataset's tar shards, read where they lie in the tar.

A shard is walked through once, by its headers; where its videos lie is kept with the answers of the
catalog until the shard itself changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import Field

from catalog.errors import BadInput
from catalog.keys import digest
from catalog.validated import Part
from flows.sources.files.file import FileRange, FileState, ReadableFile
from flows.sources.files.local import LocalFile
from flows.sources.files.paths import files
from flows.sources.files.tar import Member, TarIndex
from flows.sources.links.stable import stable_link
from flows.sources.rounds import ListSection, Remarks
from flows.sources.source import Answers, RemoteVideo

VERSION = 1
"""Rises whenever the same shard may give another index."""

MOST_TEXT = 1000
"""Characters of a licence, author or link."""

_SAMPLE = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)")
"""WebDataset's own rule: a sample's key ends at the first dot of the name."""


class RightsTexts(Part):
    """Where a sample tells its rights: a member's suffix and, in JSON, keys: `json.rights.name`."""

    licence: str | None = None
    author: str | None = None
    page: str | None = None


class TarSources(ListSection):
    """Videos in tar shards: a folder, glob or brace list of them, on a disk, in a bucket, behind
    links."""

    kind: Literal["webdataset"]
    shards: str | tuple[str, ...] = Field(
        description="tars: a folder, a glob, or shard-{000..099}.tar"
    )
    suffixes: tuple[str, ...] = Field(default=("mp4",), min_length=1)  # of videos: `src.mp4`
    texts: RightsTexts = RightsTexts()
    hosts: tuple[str, ...] = ()  # that may lie on a private network

    def places(self) -> tuple[str, ...]:
        return self._patterns()

    def where(self) -> str:
        return ", ".join(_page(pattern) or pattern for pattern in self._patterns())

    def videos(self, answers: Answers, remarks: Remarks) -> Iterator[RemoteVideo]:
        for pattern in self._patterns():
            for shard, known in files(pattern, (".tar",), self.hosts, answers.check_stop):
                try:
                    state = known or shard.state(answers.check_stop)
                    index = self._index(shard, state, answers)
                except BadInput as error:
                    remarks.notes.append(str(error))
                    remarks.incomplete |= not error.final
                    continue
                remarks.left_out.update(index["left_out"])
                if index["cut_short"]:
                    remarks.notes.append(
                        f"{shard.uri}: is cut short or damaged; the {len(index['videos'])} videos "
                        "before that are used"
                    )
                yield from self._videos(shard, state, index["videos"])

    def _patterns(self) -> tuple[str, ...]:
        return (self.shards,) if isinstance(self.shards, str) else self.shards

    def _index(self, shard: ReadableFile, state: FileState, answers: Answers) -> dict[str, Any]:
        """Where the shard's videos lie, by the answers or by its headers."""
        asked = self.suffixes, self.texts.model_dump()
        key = digest("tar", VERSION, shard.uri, state.size, state.version, *asked)
        found = answers.get(key)
        if found is None:
            walk = TarIndex(shard, state, answers.check_stop)
            videos = list(self._samples(walk))
            found = {
                "videos": videos,
                "left_out": dict(walk.left_out),
                "cut_short": walk.cut_short,
            }
            answers.put(key, found)
        return found

    def _samples(self, walk: TarIndex) -> Iterator[list[Any]]:
        """Name, start and size of each video, and what its sample says in `texts`."""
        for _, members in groupby(_named(walk), key=lambda named: named[0]):
            videos, texts = [], {}
            for _, suffix, member in members:
                if suffix in self.suffixes:
                    videos.append(member)
                elif any(f"{text}.".startswith(f"{suffix}.") for text in self._texts()):
                    texts[suffix] = walk.text(member)
            given = self.texts.model_dump()
            facts = [_fact(texts, given[role]) for role in ("licence", "author", "page")]
            for video in videos:
                yield [video.name, video.start, video.size, *facts]

    def _texts(self) -> list[str]:
        return [text for text in self.texts.model_dump().values() if text]

    def _videos(
        self, shard: ReadableFile, state: FileState, videos: list[Any]
    ) -> Iterator[RemoteVideo]:
        # A path of this machine means nothing elsewhere.
        place = shard.path.name if isinstance(shard, LocalFile) else shard.uri
        content = digest(shard.uri, state.size, state.version)
        for name, start, size, licence, author, page in videos:
            yield RemoteVideo(
                name=f"{PurePosixPath(place).stem}/{name}",
                identity=f"webdataset:{content}/{name}",
                uri=_page(page) or f"{place}#{name}",
                licence=licence or self.licence,
                author=author,
                address=FileRange(shard, state, start, size),
                suffix=PurePosixPath(name).suffix.lower(),
            )


def _named(walk: TarIndex) -> Iterator[tuple[str, str, Member]]:
    """The tar's members by key and suffix; what is named otherwise is of no sample."""
    for member in walk.members():
        if found := _SAMPLE.fullmatch(member.name):
            yield found[1], found[2].lower(), member


def _fact(texts: dict[str, str], dotted: str | None) -> str:
    """What `json.rights.name` says: the text of the member, or a value in its JSON."""
    if dotted is None:
        return ""
    suffix = max((s for s in texts if f"{dotted}.".startswith(f"{s}.")), key=len, default=None)
    if suffix is None:
        return ""
    keys = dotted[len(suffix) + 1 :]
    if not keys:
        return texts[suffix].strip()[:MOST_TEXT]
    try:
        value = json.loads(texts[suffix])
    except (ValueError, RecursionError):
        return ""
    for key in keys.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return str(value).strip()[:MOST_TEXT] if isinstance(value, str | int | float) else ""


def _page(link: str) -> str:
    """The link without what expires; nothing where it is none."""
    try:
        return stable_link(link)
    except ValueError:
        return ""
