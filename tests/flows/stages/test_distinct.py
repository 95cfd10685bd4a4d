"""Of files that show one video one is used, and it stays the same from build to build."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from catalog.keeping import forget
from catalog.media import read_video, write_video
from catalog.records import Clip
from flows.recipe import parse
from flows.runtime.context import Context, context
from flows.runtime.selection import parts, select, settle
from flows.sources import local_files
from flows.sources.source import SourceFile
from flows.stages.clips import ingest, look
from flows.stages.clips.distinct import Distinct
from tests.flows.stages.one_shot import without_cuts

pytestmark = pytest.mark.weights


@pytest.fixture(autouse=True)
def _no_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    without_cuts(monkeypatch)


@pytest.fixture
def footage(tmp_path: Path, write, scene) -> Path:
    folder = tmp_path / "footage"
    folder.mkdir()
    write("m.mp4", scene(48, 192, 256)).rename(folder / "m.mp4")
    return folder


def copied(footage: Path, name: str) -> None:
    """A re-encoded copy: another content, the same video."""
    write_video(footage / name, read_video(footage / "m.mp4"), 25, crf=30)


def build(folder: Path, footage_rules: str = "") -> tuple[Context, list[Clip]]:
    recipe = parse(
        f"name: x\nsources: [{{kind: folder, path: '{folder}'}}]\n"
        f"footage: {{{footage_rules}}}\nplan: {{weights: {{deblur: 1}}}}\n",
        "x",
    )
    ctx = context(folder.parent / "catalog", recipe)
    ctx.catalog = select(ctx.catalog, recipe)
    before = parts(ctx.catalog.tables)
    distinct = Distinct(ctx)
    used = [
        each
        for file in local_files(recipe.sources)
        for each in distinct.take(look.run(ctx, [file]))
    ]
    clips = ingest.run(ctx, [*used, *distinct.rest()])
    distinct.write_names()
    assert settle(ctx.catalog.tables, before) == []
    return ctx, clips


def told(ctx: Context) -> dict[str, str]:
    rows = ctx.catalog.failures().collect()
    return dict(rows.select("record", "message").rows())


def test_a_copy_in_another_encoding_is_counted_and_not_used(footage: Path) -> None:
    copied(footage, "z.mp4")
    ctx, clips = build(footage)
    assert [clip.uri for clip in clips] == ["m.mp4"]
    assert told(ctx)["z.mp4"].startswith("z.mp4: shows the same video as m.mp4, which is used")


def test_what_an_earlier_build_used_stays_in_use(footage: Path) -> None:
    _, first = build(footage)
    copied(footage, "a.mp4")  # comes before it in the listing
    ctx, second = build(footage)
    assert second == first
    assert told(ctx).keys() == {"a.mp4"}


def test_the_copy_is_used_when_the_other_is_gone(footage: Path) -> None:
    build(footage)
    copied(footage, "z.mp4")
    (footage / "m.mp4").unlink()
    ctx, clips = build(footage)
    assert [clip.uri for clip in clips] == ["z.mp4"]
    assert told(ctx) == {}


def test_a_recipe_may_use_both(footage: Path) -> None:
    copied(footage, "z.mp4")
    ctx, clips = build(footage, "duplicates: false")
    assert [clip.uri for clip in clips] == ["m.mp4", "z.mp4"]
    assert told(ctx) == {}


def test_other_videos_are_no_copies(footage: Path, write, scene) -> None:
    write("z.mp4", 255 - scene(48, 192, 256)[:, ::-1]).rename(footage / "z.mp4")
    ctx, clips = build(footage)
    assert [clip.uri for clip in clips] == ["m.mp4", "z.mp4"]
    assert told(ctx) == {}


def test_equal_content_is_one_source_by_any_recipe(footage: Path) -> None:
    ctx, _ = build(footage, "duplicates: false")
    (file,) = local_files(ctx.recipe.sources)
    distinct = Distinct(ctx)
    twice = [file, dataclasses.replace(file, name="stock/7", licence="CC-BY-4.0")]
    used = [each for one in twice for each in distinct.take(look.run(ctx, [one]))]
    assert [each.file.name for each in used] == ["m.mp4"]
    assert "stock/7: same content as m.mp4" in told(ctx)["stock/7"]


def test_a_copy_waits_where_the_other_may_only_not_have_answered(footage: Path) -> None:
    ctx, _ = build(footage)
    copied(footage, "z.mp4")
    (footage / "m.mp4").unlink()
    (copy,) = local_files(ctx.recipe.sources)
    distinct = Distinct(ctx)
    assert distinct.take(look.run(ctx, [copy])) == []
    ctx.incomplete = True
    assert distinct.rest() == []
    ctx.incomplete = False
    assert [each.file.name for each in distinct.rest()] == ["z.mp4"]


def names_after(ctx: Context, files: list[SourceFile]) -> list[str]:
    """The names of the only source after a build of these files, one shard each."""
    distinct = Distinct(ctx)
    for file in files:
        ingest.run(ctx, distinct.take(look.run(ctx, [file])))
    ingest.run(ctx, distinct.rest())
    distinct.write_names()
    (source,) = ctx.catalog.tables.records("sources")
    return source.names


def test_a_source_has_the_names_of_all_places_with_its_content(footage: Path) -> None:
    ctx, _ = build(footage)
    (file,) = local_files(ctx.recipe.sources)
    page = "https://stock.example/7"
    double = dataclasses.replace(file, name="stock/7", uri=page, licence="CC-BY-4.0")
    assert names_after(ctx, [file, double]) == ["m.mp4", "stock/7", page]
    assert told(ctx)["stock/7"].endswith(f"as that one's, under its licence ({file.licence})")
    (source,) = ctx.catalog.tables.records("sources")
    assert (source.name, source.licence) == ("m.mp4", file.licence)
    for name in ("m.mp4", "stock/7", page):
        assert forget.find(ctx.storage, name).source_id == source.source_id
    version = ctx.catalog.tables.version("sources")
    assert names_after(ctx, [file, double]) == ["m.mp4", "stock/7", page]
    assert ctx.catalog.tables.version("sources") == version  # nothing was written
    ctx.incomplete = True
    assert names_after(ctx, [file]) == ["m.mp4", "stock/7", page]
    ctx.incomplete = False
    assert names_after(ctx, [file]) == ["m.mp4"]
