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
from flows.runtime.context import Context
from flows.runtime.results import journal
from flows.sources.source import Footage, RemoteVideo, SourceFile

STAGE = "fetch"

AT_ONCE = 4
"""Downloads side by side: a stock footage server gives one connection a few MB/s."""


def run(ctx: Context, shard: Sequence[Footage]) -> list[SourceFile]:
    """The shard as local files, in its order; those that cannot be had have rows in `failures`."""
    remote = [each for each in shard if isinstance(each, RemoteVideo)]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch") as pool:
        fetched = pool.map(lambda video: _fetched(ctx, video), remote)
        files = [each if isinstance(each, SourceFile) else next(fetched) for each in shard]
    return [file for file in files if file is not None]


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


def _fetched(ctx: Context, video: RemoteVideo) -> SourceFile | None:
    """The video as a local file, in the journal as soon as it is there; None where it cannot be
    had."""
    documents = journal.run(
        ctx,
        STAGE,
        [video],
        key=lambda video: digest(video.identity),
        work=lambda _: [{"media": _media(ctx, video)}],
        name=lambda video: video.name,
    )
    for _, document in list(documents):
        return SourceFile(
            Path(video.name),
            video.name,
            video.uri,
            video.licence,
            author=video.author,
            section=video.section,
            media=document["media"],
            fetched=video,
        )
    return None


def _media(ctx: Context, video: RemoteVideo) -> str:
    with ctx.hosts.asking(video.address.host), ctx.catalog.media.writing(video.suffix) as draft:
        video.address.download(draft.path, ctx.check_stop)
        if not draft.path.is_file() or not draft.path.stat().st_size:
            raise BadInput("empty_file", f"{video.name}: nothing came of it", final=False)
    return draft.ref
