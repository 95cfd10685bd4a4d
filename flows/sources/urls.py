"""Videos behind the links of a list: a CSV, JSON lines or Parquet file, or a query over one.

A video is named by its link without what expires (flows.sources.links.stable), so that a link that
is signed anew each night is fetched once.
"""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field

from catalog.errors import BadInput, EditmillError
from catalog.keys import file_digest
from catalog.storage.files import replacing
from catalog.validated import Part
from flows.sources.http import MOST_BYTES, HttpClient, download, host_of
from flows.sources.links import reading, table
from flows.sources.links.stable import stable_link
from flows.sources.rounds import ListSection, Remarks
from flows.sources.source import Answers, RemoteVideo
from flows.sources.suffixes import FOOTAGE

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class ListColumns(Part):
    """What the columns of the list are called. All but `url` may be missing there."""

    url: str = "url"
    name: str = "name"
    licence: str = "licence"
    author: str = "author"
    page: str = "page"  # where the video is shown, for whoever wants to see where it is from
    sha256: str = "sha256"  # of the file, 64 hex digits


class UrlSources(ListSection):
    """Videos behind the links of a list, in the list's order."""

    kind: Literal["urls"]
    files: str | tuple[str, ...] = Field(
        description="a CSV, JSON lines or Parquet file, or several"
    )
    query: str | None = None  # over the table `links`
    columns: ListColumns = ListColumns()
    hosts: tuple[str, ...] = ()  # that may lie on a private network

    def places(self) -> tuple[str, ...]:
        return self._files()

    def where(self) -> str:
        return ", ".join(self._files()) + (f" ({self.query})" if self.query else "")

    def videos(self, answers: Answers, remarks: Remarks) -> Iterator[RemoteVideo]:
        where = self.where()
        links = table.opened(self._files(), self.query, answers.check_stop)
        wanted = self._wanted(list(links.columns()), where)
        for row in links.rows(list(wanted.values())):
            video = self._video(dict(zip(wanted, row, strict=True)), remarks)
            if video is not None:
                yield video

    def _files(self) -> tuple[str, ...]:
        return (self.files,) if isinstance(self.files, str) else self.files

    def _wanted(self, there: list[str], where: str) -> dict[str, str]:
        """The columns to read, by what they hold. Raises EditmillError where one is missing."""
        given = self.columns.model_dump()
        for role, column in given.items():
            asked_for = role == "url" or role in self.columns.model_fields_set
            if asked_for and column not in there:
                raise EditmillError(
                    f"{where}: has no column {column!r}, only {reading.named(there)}; name the "
                    f"one with {role} in the recipe: columns: {{{role}: …}}"
                )
        return {role: column for role, column in given.items() if column in there}

    def _video(self, row: dict[str, str], remarks: Remarks) -> RemoteVideo | None:
        try:
            link = stable_link(row["url"])
        except ValueError:
            remarks.left_out["without an http(s) link"] += 1
            return None
        sha256 = row.get("sha256", "").lower()
        if sha256 and not _SHA256.fullmatch(sha256):
            remarks.left_out["with a sha256 that is none"] += 1
            return None
        name = link.partition("://")[2]
        suffix = posixpath.splitext(link.partition("?")[0])[1].lower()
        return RemoteVideo(
            name=row.get("name") or name,
            identity=f"urls:{name}",
            uri=row.get("page") or link,
            licence=row.get("licence") or self.licence,
            author=row.get("author", ""),
            address=Link(row["url"], self.hosts, sha256),
            suffix=suffix if suffix in FOOTAGE else ".mp4",
        )


@dataclass(frozen=True, slots=True)
class Link:
    """The address of a video behind a link, whose content may be known by its SHA-256."""

    link: str = field(repr=False)  # may be signed
    hosts: tuple[str, ...] = ()
    sha256: str = ""
    most_bytes: int = MOST_BYTES

    @property
    def host(self) -> str:
        return host_of(self.link)

    def download(self, to: Path, check_stop: Callable[[], None]) -> None:
        """See :class:`flows.sources.source.Address`."""
        with replacing(to) as draft:
            download(_client(self.hosts), self.link, draft, check_stop, most_bytes=self.most_bytes)
            if self.sha256 and file_digest(draft) != self.sha256:
                raise BadInput(
                    "other_content",
                    f"{stable_link(self.link)}: is not the file that the list gives the sha256 of; "
                    "correct the link or the sha256",
                )


@functools.lru_cache(maxsize=8)
def _client(hosts: tuple[str, ...]) -> HttpClient:
    return HttpClient(hosts)
