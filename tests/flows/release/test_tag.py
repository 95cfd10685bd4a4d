"""Under which tag a build's release goes."""

from __future__ import annotations

from pathlib import Path

import pytest

import catalog
from catalog.errors import EditmillError
from catalog.policy import Policy
from catalog.records import Source
from catalog.releases import Catalog, publishing
from catalog.report.release_card import card_key
from catalog.storage.location import Versioned
from flows.recipe import parse
from flows.release.tag import publish_release
from flows.runtime.context import Context, context
from tests.parts import by_key

RECIPE = "name: tiny\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    made = context(tmp_path / "catalog", parse(RECIPE, "tiny"))
    made.catalog = _filled(made.uri, "one")
    return made


def _filled(uri: str, selection: str) -> Catalog:
    at = catalog.open(uri, create=True).select(selection, "{}", Policy(), "1.0")
    source = Source(f"source of {selection}", "a", "file:a", "MIT", 64, 48, 25.0, 40, "h264")
    at.tables.put("sources", by_key([source]))
    return at


def test_tags_are_counted(ctx: Context) -> None:
    _filled(ctx.uri, "other").release("v7", "")
    _filled(ctx.uri, "another").release("vivid", "")
    assert publish_release(ctx, None, []).tag == "v8"
    assert publish_release(ctx, None, []).tag == "v8"  # nothing changed since


def test_a_release_that_was_stopped_is_completed_by_a_build_that_finds_it(
    storage_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = context(storage_uri, parse(RECIPE, "tiny"))
    ctx.catalog = _filled(ctx.uri, "one")

    def stopped(*of: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(publishing, "_describe", stopped)
        publish_release(ctx, None, [])
    storage = ctx.catalog.storage
    assert not storage.exists(card_key("v1"))
    assert publish_release(ctx, None, []).tag == "v1"
    assert storage.exists(card_key("v1"))
    assert not isinstance(storage, Versioned) or storage.has_tag("v1")


def test_builds_that_end_at_once_take_one_number_after_the_other(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    _after_another(ctx, monkeypatch)
    assert publish_release(ctx, None, []).tag == "v2"
    assert [r.selection for r in ctx.catalog.releases()] == ["other", "one"]


def test_a_tag_that_was_asked_for_is_no_other(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    _after_another(ctx, monkeypatch)
    with pytest.raises(EditmillError, match="'v1' was taken by another build"):
        publish_release(ctx, "v1", [])
    assert [r.selection for r in ctx.catalog.releases()] == ["other"]


def _after_another(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the very moment at which the build's release is to be stored, another's v1 is."""
    create = ctx.catalog.storage.create

    def late(key: str, data: bytes) -> bool:
        monkeypatch.undo()
        _filled(ctx.uri, "other").release("v1", "")
        return create(key, data)

    monkeypatch.setattr(ctx.catalog.storage, "create", late)
