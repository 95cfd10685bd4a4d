"""A source that is forgotten on lakeFS while the branch of a stopped build still holds it."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

import catalog
from catalog.keeping.branch import forget_as_main_did
from catalog.keeping.forget import forgotten_sources
from catalog.keys import digest
from catalog.policy import Policy
from catalog.products import Products
from catalog.records import Clip, Source
from catalog.storage import open_storage
from catalog.storage.location import Storage, Versioned
from tests.catalog.keeping import two_sources
from tests.catalog.keeping.two_sources import FIRST, SECOND, clip_id, forget, record

ONLY_THERE = "c" * 16
"""A selection that the stopped build alone has."""


@pytest.fixture
def main(lakefs_uri: str) -> Versioned:
    two_sources.write(lakefs_uri)
    storage = open_storage(lakefs_uri)
    assert isinstance(storage, Versioned)
    storage.commit("built", {})
    return storage


def stopped(main: Versioned) -> dict[str, str]:
    """A build that is killed on its branch; the media it made there, by source."""
    branch = main.branch("build-1")
    opened = catalog.open(branch).select(ONLY_THERE, "recipe 3", Policy(), "1")
    made = {}
    for source in (FIRST, SECOND):
        video = two_sources.store(branch, f"clip of {source} in another size")
        clip = digest("another clip", source)
        row = record(Source, source_id=source, name=f"{source}.mp4", uri="u")
        opened.tables.put("sources", {source: [row]})
        rows = [record(Clip, clip_id=clip, source_id=source, video=video)]
        opened.tables.put("clips", {clip: rows})
        opened.products.page("edit", clip).put({digest("e", clip): {"made": {"video": video}}})
        unnamed = two_sources.store(branch, f"an edit of {source} that no row names")
        own = opened.products.page("edit", clip_id(source))
        own.put({digest("another", source): {"made": {"video": unnamed}}})
        made[source] = video, unnamed
    return made


def resumed(main: Versioned, selection: str = ONLY_THERE) -> pl.DataFrame:
    """What the next build begins with, merges, and all then read."""
    forget_as_main_did(main.at("build-1"), main)
    main.branch("build-1").merge_into_main("built", {})
    return catalog.open(main).select(selection, "recipe 3", Policy(), "1").clips().collect()


@pytest.mark.parametrize("erasing", [False, True])
def test_it_does_not_come_back_with_the_build(main: Versioned, erasing: bool) -> None:
    made = stopped(main)
    forget(main, FIRST, erasing)
    main.commit("forgotten", {})
    clips = resumed(main)
    assert clips["source_id"].to_list() == [SECOND]
    assert [main.exists(medium) for medium in made[SECOND]] == [True, True]
    assert [main.exists(medium) for medium in made[FIRST]] == [not erasing] * 2
    assert bool(Products(main).naming({digest("another clip", FIRST)})) is not erasing
    assert Products(main).naming({digest("another clip", SECOND)})
    assert forgotten_sources(main) == {FIRST}


def test_what_main_still_has_stays(main: Versioned) -> None:
    same = two_sources.store(main, "what another source's rows name by now")
    main.commit("built", {})
    stopped(main)
    branch, clip = main.at("build-1"), digest("a third clip", FIRST)
    catalog.open(branch).select(ONLY_THERE, "recipe 3", Policy(), "1").tables.put(
        "clips", {clip: [record(Clip, clip_id=clip, source_id=FIRST, video=same)]}
    )
    forget(main, FIRST, erasing=True)
    main.commit("forgotten", {})
    resumed(main)
    assert main.exists(same)


def test_it_is_done_once_and_goes_on_where_it_was_interrupted(
    main: Versioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stopped(main)
    forget(main, FIRST, erasing=True)
    main.commit("forgotten", {})
    branch = main.at("build-1")
    deleted: Callable[..., None] = type(branch).delete

    def killed(self: Storage, keys: list[str]) -> None:
        if any(key.startswith("media/") for key in keys):
            raise KeyboardInterrupt
        deleted(self, keys)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(type(branch), "delete", killed)
        forget_as_main_did(branch, main)
    assert [each.source_id for each in forget_as_main_did(main.at("build-1"), main)] == [FIRST]
    assert not any(main.at("build-1").exists(medium) for medium in made[FIRST])
    assert forget_as_main_did(main.at("build-1"), main) == []
