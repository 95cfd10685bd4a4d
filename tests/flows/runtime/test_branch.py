"""A build's branch on lakeFS, from a stop to the next build."""

from __future__ import annotations

import pytest

import catalog
from catalog.records import Source
from catalog.storage import open_storage
from catalog.storage.location import Versioned
from flows.recipe import parse
from flows.runtime.context import context
from flows.runtime.results.branch import on_branch
from tests.catalog.keeping.two_sources import FIRST, SECOND, forget, record, store

RECIPE = "name: tiny\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"


def test_what_was_erased_while_the_build_stood_still_does_not_come_back(lakefs_uri: str) -> None:
    main = open_storage(lakefs_uri)
    assert isinstance(main, Versioned)
    catalog.open(main, create=True)
    ctx = context(lakefs_uri, parse(RECIPE, "tiny"))
    with pytest.raises(KeyboardInterrupt), on_branch(ctx):
        media = {name: store(ctx.catalog.storage, name) for name in (FIRST, SECOND)}
        for name, medium in media.items():
            row = record(Source, source_id=name, name=name, media=medium)
            ctx.catalog.tables.put("sources", {name: [row]})
        raise KeyboardInterrupt
    # Main learns of the source by another recipe.
    other = context(lakefs_uri, parse(RECIPE.replace("deblur", "upscaling"), "tiny"))
    with on_branch(other):
        row = record(Source, source_id=FIRST, name=FIRST, media=store(other.catalog.storage, FIRST))
        other.catalog.tables.put("sources", {FIRST: [row]})
    forget(main, FIRST, erasing=True)
    main.commit("forgotten", {})
    ctx = context(lakefs_uri, parse(RECIPE, "tiny"))
    with on_branch(ctx):
        pass
    assert catalog.open(main).sources().collect()["source_id"].to_list() == [SECOND]
    assert [main.exists(medium) for medium in media.values()] == [False, True]
