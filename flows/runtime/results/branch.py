"""A build's own branch, where the catalog's storage has branches (lakeFS).

A build commits there once per batch of shards (:mod:`flows.runtime.results.commits`), and what it
made appears in `main` at once, when all of it is there. Two builds never wait for each other. In a
folder or a bucket, rows appear in the build's selection as they are made; `main` is that selection
from the start where it holds nothing of another recipe, else from the build's end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import catalog
from catalog.errors import EditmillError
from catalog.keeping.branch import forget_as_main_did
from catalog.keys import digest
from catalog.releases import Catalog
from catalog.storage.location import Versioned
from flows.runtime.context import Context
from flows.runtime.results.commits import Commits
from flows.runtime.selection import select

NAME_LENGTH = 12
"""Hex characters of a branch's name after `build-`."""


@contextmanager
def on_branch(ctx: Context) -> Iterator[None]:
    """Meanwhile, `ctx.catalog` is the recipe's selection on the build's branch; afterwards it is
    that on main, which then holds all that was made. After an error the branch stays as it was
    committed, for the next build to go on with.
    """
    main = ctx.storage
    if not isinstance(main, Versioned):
        before = ctx.catalog
        ctx.catalog = select(before, ctx.recipe)
        if before.selection.name == ctx.catalog.selection.name or not _holds_any(before):
            ctx.catalog.become_main()
        yield
        ctx.catalog.become_main()
        return
    name = f"build-{digest(ctx.recipe.decisions())[:NAME_LENGTH]}"
    if main.has_branch(name):  # of a stopped build: it holds what main was told to forget since
        forget_as_main_did(main.at(name), main)
    branch = main.branch(name)
    ctx.run = replace(ctx.run, at=branch.uri)
    ctx.commits = Commits(branch, ctx.recipe.name)
    ctx.catalog = select(catalog.open(branch), ctx.recipe)
    try:
        yield
    except BaseException:
        with suppress(EditmillError):  # what ended the build is the error to tell
            branch.commit(f"{ctx.recipe.name}: stopped", ctx.commits.metadata())
        raise
    branch.merge_into_main(f"{ctx.recipe.name}: built", ctx.commits.metadata())
    if not ctx.catalog.unfinished:  # else another build of the recipe is at work on it
        branch.delete_branch()
    ctx.catalog = select(catalog.open(main), ctx.recipe)
    ctx.catalog.become_main()


def _holds_any(opened: Catalog) -> bool:
    """Whether a build made pairs or local-editing records there, which somebody may be reading."""
    return any(opened.tables.parts(product) for product in ("pairs", "local_edits"))


def committed(ctx: Context, tag: str) -> None:
    """Commit what a build wrote to main after its release, if it has one (else `tag` is empty): the
    report, and that it has ended."""
    storage = ctx.storage
    if isinstance(storage, Versioned):
        storage.commit(f"Report of {tag or 'a build without a release'}", ctx.commits.metadata())
