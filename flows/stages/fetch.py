"""Remote videos in, local files out: each is streamed once to the catalog's media.

A fetched file is media of the catalog, so what was made of it can be made again when its link is
dead.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from catalog.errors import BadInput
from catalog.keys import digest
from flows.runtime import journal
from flows.runtime.context import Context
from flows.runtime.journal import Document
from flows.sources.source import Footage, RemoteVideo, SourceFile

STAGE = "fetch"

AT_ONCE = 4
"""Downloads side by side: a stock footage server gives one connection a few MB/s."""


def run(ctx: Context, shard: Sequence[Footage]) -> list[SourceFile]:
    """The shard as local files, in its order; those that cannot be had have rows in `failures`."""
    remote = [each for each in shard if isinstance(each, RemoteVideo)]
    kept: dict[str, str] = {}
    documents = journal.run(
        ctx,
        STAGE,
        remote,
        key=lambda video: digest(video.identity),
        work=lambda batch: _fetched(ctx, batch, kept),
        name=lambda video: video.name,
        batch=AT_ONCE,
    )
    fetched = {video.name: document["media"] for video, document in documents}
    return [
        file
        for each in shard
        if (file := each if isinstance(each, SourceFile) else _local(each, fetched)) is not None
    ]


def path_of(ctx: Context, file: SourceFile) -> Path:
    """Where the file can be read on this machine. One that was fetched and is in the catalog no
    more (`editmill collect` removed what nothing was made of) is fetched again.

    Raises BadInput where it cannot be had.
    """
    if not file.fetched:
        return file.path
    path = ctx.catalog.path(file.media)
    if not path.is_file():
        again = _media(ctx, file.fetched)
        if again != file.media:
            raise BadInput(
                "changed_file",
                f"{file.name}: what its link gives now is not what was fetched before; "
                "it is left out",
            )
        path = ctx.catalog.path(again)
    return path


def _local(video: RemoteVideo, fetched: dict[str, str]) -> SourceFile | None:
    ref = fetched.get(video.name)
    if ref is None:
        return None
    return SourceFile(
        Path(video.name),
        video.name,
        video.uri,
        video.licence,
        author=video.author,
        section=video.section,
        media=ref,
        fetched=video,
    )


def _fetched(ctx: Context, videos: Sequence[RemoteVideo], kept: dict[str, str]) -> list[Document]:
    """The videos' media, side by side. `kept` are those that came before another one failed: the
    rest is tried one by one then."""

    def fetch(video: RemoteVideo) -> Document:
        if video.name not in kept:
            kept[video.name] = _media(ctx, video)
        return {"media": kept[video.name]}

    with ThreadPoolExecutor(len(videos), thread_name_prefix="fetch") as pool:
        return list(pool.map(fetch, videos))


def _media(ctx: Context, video: RemoteVideo) -> str:
    with ctx.catalog.media.writing(video.suffix) as draft:
        video.address.download(draft.path, ctx.check_stop)
        if not draft.path.is_file() or not draft.path.stat().st_size:
            raise BadInput("empty_file", f"{video.name}: nothing came of it", final=False)
    return draft.ref
