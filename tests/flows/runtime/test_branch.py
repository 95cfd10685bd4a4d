"""A build's branch on lakeFS, from a stop to the next build; and `main` where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

import catalog
from catalog.records import Pair, Source
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


def test_in_a_folder_main_stays_what_it_was_until_another_recipes_build_ends(
    tmp_path: Path,
) -> None:
    def main() -> str:
        return catalog.open(tmp_path / "dataset").selection.name

    def made(task: str, pair: str, stopped: bool = False) -> tuple[str, str]:
        """The build's selection, and what `main` was while it went on."""
        ctx = context(tmp_path / "dataset", parse(RECIPE.replace("deblur", task), "tiny"))
        meanwhile = ""
        try:
            with on_branch(ctx):
                ctx.catalog.tables.put("pairs", {pair: [record(Pair, pair_id=pair)]})
                meanwhile = main()
                if stopped:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            assert stopped
        return ctx.catalog.selection.name, meanwhile

    first, meanwhile = made("deblur", "a", stopped=True)
    assert meanwhile == main() == first  # it held nothing before
    second, meanwhile = made("upscaling", "b", stopped=True)
    assert second != first and meanwhile == main() == first
    assert made("upscaling", "b") == (second, first)
    assert main() == second
    assert made("deblur", "a") == (first, second)
    assert main() == first
