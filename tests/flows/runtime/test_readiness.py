"""What a build lacks is told before anything is made, and only where work is left that needs it."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from catalog import media
from catalog.errors import EditmillError
from catalog.keys import digest
from catalog.records import Clip
from experts.providers import slots
from flows import needs
from flows.recipe import parse
from flows.runtime.context import Context, context
from flows.runtime.results import journal
from flows.runtime.servers import models as servers
from flows.sources.source import SourceFile
from flows.stages.clips import look
from tests.experts.write.chat_server import Fake

MODELS = {
    "detect": "grounding_dino",
    "track": "sam2_video",
    "depth": "depth_anything",
    "encode": "open_clip",
}
HUB = tuple(MODELS.values())


def built(tmp_path: Path, models: dict[str, Any], **more: Any) -> Context:
    recipe = {
        "name": "mine",
        "sources": [{"kind": "folder", "path": "v"}],
        "models": models,
        "plan": {"weights": {"deblur": 1}},
        "footage": dict.fromkeys(("text", "watermark")),
        **more,
    }
    parsed = parse(yaml.safe_dump(recipe), "mine.yaml")
    return context(tmp_path / "catalog", parsed, "mine.yaml")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITMILL_OFFLINE", "1")


def work(ctx: Context, stage: str, record: int = 1) -> list[Any]:
    made = [{"made": True}]
    documents = journal.run(ctx, stage, [record], key=digest, work=lambda batch: made, name=str)
    return list(documents)


def lacking(ctx: Context, stage: str) -> str:
    with pytest.raises(EditmillError) as failed:
        work(ctx, stage)
    assert "\n" not in str(failed.value)
    return str(failed.value)


def test_all_that_lacks_is_told_before_a_source_is_looked_at(
    model_cache: Path, offline: None, tmp_path: Path
) -> None:
    ctx = built(tmp_path, MODELS)
    clip = tmp_path / "a.mp4"
    media.write_video(clip, np.zeros((4, 32, 32, 3), np.uint8), 25.0)
    section = ctx.recipe.sources[0]
    with pytest.raises(EditmillError) as failed:
        look.run(ctx, [SourceFile(clip, "a.mp4", "", "CC0-1.0", section=section)])
    said = str(failed.value)
    assert all(name in said for name in HUB)
    assert "transnetv2" in said  # the embedded one's file is not here either
    assert "EDITMILL_OFFLINE is set" in said
    assert len(said) < 300
    assert said.endswith("editmill models --recipe mine.yaml --fetch")
    assert "\n" not in said
    assert not ctx.catalog.products.page("look", "a").get("a")
    assert lacking(ctx, "edit") == said  # and is not looked for again by another shard


def test_only_what_the_stages_to_come_open_is_looked_for(
    model_cache: Path, offline: None, tmp_path: Path
) -> None:
    said = lacking(built(tmp_path / "a", MODELS), "edit")
    assert [name in said for name in HUB] == [False, False, True, True]
    said = lacking(built(tmp_path / "b", MODELS), "judge")
    assert [name in said for name in HUB] == [False, False, False, True]
    embedded = built(tmp_path / "c", {"depth": "depth_anything"})
    assert "smollm2" in lacking(embedded, "instruct")
    assert work(built(tmp_path / "d", MODELS), "vlm")  # nothing that lacks is used from there on


def test_on_a_cluster_a_machine_looks_for_what_its_own_stage_opens(
    model_cache: Path, offline: None, tmp_path: Path
) -> None:
    ctx = built(tmp_path, MODELS, run={"runner": "ray", "ray_address": "auto"})
    ctx.readiness.of_new(ctx.catalog)
    assert work(ctx, "ingest")
    said = lacking(ctx, "annotate")
    assert [name in said for name in HUB] == [True, True, False, False]


def test_a_record_that_has_its_product_needs_nothing(
    model_cache: Path, offline: None, tmp_path: Path
) -> None:
    ctx = built(tmp_path, MODELS)
    ctx.catalog.products.put("edit", digest(1), {"made": True})
    assert work(ctx, "edit") == [(1, {"made": True})]


def test_a_new_catalog_is_known_to_need_all(
    model_cache: Path, offline: None, tmp_path: Path
) -> None:
    ctx = built(tmp_path, MODELS)
    with pytest.raises(EditmillError, match="neither here nor to be had"):
        ctx.readiness.of_new(ctx.catalog)
    ctx = dataclasses.replace(ctx)
    clip = Clip("c", "s", "file:a", "CC0-1.0", "media/a.mp4", 0, 34, 25.0, 96, 64)
    ctx.catalog.tables.put("clips", {"c": [clip]})
    ctx.readiness.of_new(ctx.catalog)  # what is left to do there, its records tell


def test_every_slot_is_used_by_a_stage() -> None:
    assert set(needs.USED_BY) == {*slots(), "footage"}
    assert {stage for users in needs.USED_BY.values() for stage in users} <= set(needs.STAGES)
    assert needs.slots_from("fetch") == set(needs.USED_BY)
    assert needs.slots_of("vlm") == {"judge"}
    assert needs.slots_from("double") == frozenset()


@pytest.fixture
def server() -> Iterator[Fake]:
    fake = Fake()
    fake.answer = lambda path, body: (200, {"data": [{"id": "m", "root": "one"}]}, {})
    yield fake
    fake.http.shutdown()
    fake.http.server_close()


def asking(url: str) -> dict[str, Any]:
    write = {"provider": "openai", "model": "m", "base_url": url, "attempts": 1}
    return {"write": write}


def test_a_server_that_is_away_is_told_at_once_unless_nothing_is_left_to_ask(
    server: Fake, tmp_path: Path
) -> None:
    ctx = built(tmp_path, asking(server.url))
    assert servers.settle(ctx.recipe, ctx.catalog.products) == {}
    ((_, model),) = servers.served_models(ctx.recipe)
    version = model.version
    model.assume("")  # as in another process
    server.http.shutdown()
    server.http.server_close()
    again = dataclasses.replace(ctx)
    again.readiness.away = servers.settle(ctx.recipe, ctx.catalog.products)
    assert model.version == version  # what was made by it is found again
    assert server.url in lacking(again, "look")
    for stage in ("judge", "vlm"):
        later = dataclasses.replace(ctx)
        later.readiness.away = dict(again.readiness.away)
        assert work(later, stage, record=2)


def test_a_server_that_serves_another_model_by_now_is_noticed(server: Fake, tmp_path: Path) -> None:
    ctx = built(tmp_path, asking(server.url))
    servers.settle(ctx.recipe, ctx.catalog.products)
    ((_, model),) = servers.served_models(ctx.recipe)
    before = model.version
    server.answer = lambda path, body: (200, {"data": [{"id": "m", "root": "two"}]}, {})
    assert servers.settle(ctx.recipe, ctx.catalog.products) == {}
    assert model.version != before
