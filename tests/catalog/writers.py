"""What writes to a catalog, as processes of their own: `python -m tests.catalog.writers build URI`.

A build says on its output what it is about to do, and does it once it gets a line; so a test can
kill it in between.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from hashlib import sha256

import catalog
from catalog.keys import digest
from catalog.policy import Policy, Threshold
from catalog.records import Clip, from_row, to_row
from catalog.releases import Catalog

SELECTION = "0123456789abcdef"
POLICY = Policy((Threshold("quality", "at_least", "edit_failed", 0.5),))

CLIPS = 5
"""That a build makes, each with a file."""

SHARDS, ROWS = 4, 3
"""Commits of one of many writers, and rows in each."""


def selected(uri: str, name: str = SELECTION, policy: Policy = POLICY) -> Catalog:
    """The catalog at `uri`, made if absent; from now on `main` is the selection `name`."""
    made = catalog.open(uri, create=True).select(name, '{"name": "tiny"}', policy, "1.0")
    made.become_main()
    return made


def clip(name: str, video: str = "", caption: str = "") -> Clip:
    return Clip(name, "s", "u", "CC0-1.0", video or f"media/ab/{name}.mp4", 0, 33, 25.0, 64, 48,
                caption)  # fmt: skip


def build(uri: str, before: Callable[[str], object] = str) -> None:
    """Makes every clip that the journal does not have, and ends with the release v1.

    `before("commit 2")` is called before each thing that a build does: `media`, `journal` and
    `commit` of each clip, and the `release`.
    """
    made = selected(uri)
    for number in range(CLIPS):
        key = digest("clip", number)
        page = made.products.page("ingest", key)
        document = page.get(key)
        if document is None:
            before(f"media {number}")
            with made.media.writing(".mp4") as video:
                video.path.write_bytes(content(number))
            made.media.flush()
            before(f"journal {number}")
            document = to_row(clip(f"clip {number}", video.ref))
            page.put({key: document})
        before(f"commit {number}")
        made.tables.put("clips", {key: [from_row(Clip, document)]})
    before("release")
    made.release("v1", made.selection.recipe)


def content(number: int) -> bytes:
    return sha256(b"%d" % number).digest() * 3000


def append(uri: str, writer: str) -> None:
    """Appends the rows of one of many writers, and one part that all of them write."""
    made = selected(uri)
    for shard in range(SHARDS):
        names = [f"{writer}-{shard}-{row}" for row in range(ROWS)]
        made.tables.put("clips", {name: [clip(name)] for name in names})
        made.tables.put("clips", {"shared": [clip("shared")]})


def append_at_once(uri: str, count: int) -> bool:
    """As many writers, each a process: forks of this one, which has imported all and begun nothing.
    Whether all of them ended well."""
    forked = multiprocessing.get_context("fork")
    writers = [forked.Process(target=append, args=(uri, str(n))) for n in range(count)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return all(writer.exitcode == 0 for writer in writers)


def _say_and_wait(what: str) -> None:
    print(what, flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    if sys.argv[1] == "build":
        build(sys.argv[2], _say_and_wait)
    else:
        sys.exit(not append_at_once(sys.argv[2], int(sys.argv[3])))
