"""What a build shows on a user's Prefect server, and that no server's fault ends a build."""

from __future__ import annotations

import base64
import dataclasses
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

import catalog
from catalog.records import Pair, from_row
from flows.deployments.events import BUILD_FINISHED, KEPT_TOO_LITTLE, catalog_resource
from flows.recipe import parse
from flows.release import artifacts
from flows.release.outcome import Outcome
from flows.release.since import made_since
from flows.runtime.context import Context, context
from flows.runtime.monitoring.status import StageStatus
from flows.runtime.orchestration import client as prefect_client
from flows.runtime.orchestration.client import Connection
from flows.runtime.orchestration.server import OrchestrationServer
from tests.flows.tiny_training import release_footage, write_pairs
from tests.parts import by_key

RECIPE = "name: tiny\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"


@pytest.fixture(scope="module")
def url() -> str:
    """A real server's, which the tests take for a user's."""
    return OrchestrationServer(None).connect(threading.Event(), lambda line: None).url


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def connection(url: str, told: list[str]) -> Connection:
    return Connection(url, threading.Event(), told.append)


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    """A catalog with a pair of each of two clips and one rejected pair, released as v2."""
    root = str(tmp_path / "catalog")
    release_footage(root, range(2))
    write_pairs(Path(root))
    catalog.open(root).release("v2", '{"name": "tiny"}')
    return context(root, parse(RECIPE, "tiny"))


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Those emitted; the embedded server keeps none."""
    found: list[tuple[str, dict[str, Any]]] = []

    def emit(event: str, resource: dict[str, str], payload: dict[str, Any]) -> None:
        assert resource["prefect.resource.id"].startswith("editmill.catalog.")
        found.append((event, payload))

    monkeypatch.setattr(artifacts, "emit_event", emit)
    return found


def outcome(ctx: Context, tag: str = "v2") -> Outcome:
    lines = [{"task": "global_style_transfer", "planned": 4, "made": 3, "kept": 2,
              "rejected": {"subtle": 1, "no_frames": 1}}]  # fmt: skip
    totals = {"sources": 2, "made": 3, "kept": 2, "failures": 1, "wall_seconds": 61.0}
    return Outcome(tag, ctx.uri, f"{ctx.uri}/report.html", lines, [], totals)


def of_catalog(url: str, ctx: Context, kind: str) -> list[dict[str, Any]]:
    """The server's artifacts of this catalog, the newest first."""
    asked = {"sort": "CREATED_DESC", "artifacts": {"type": {"any_": [kind]}}}
    found = httpx.post(f"{url}/artifacts/filter", json=asked, trust_env=False).json()
    name = catalog_resource(ctx.uri).rpartition(".")[2]
    return [each for each in found if each["key"].endswith(name)]


def stage(name: str, total: int, left: int) -> StageStatus:
    return StageStatus(name, total, total - left, 0, 0, left, None, None)


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([], 0),
        ([stage("look", 4, 2)], 10),  # half of the first of five stages
        ([stage("look", 4, 0)], 20),
        # All clips so far are annotated, but half of the sources are still to come.
        ([stage("look", 4, 2), stage("ingest", 2, 0), stage("annotate", 8, 0)], 30),
        ([stage(name, 9, 0) for name in artifacts.STAGES["local_edits"]], 100),
        ([stage("bank", 4, 4)], 0),  # not on every record's way
    ],
)
def test_how_far_a_build_is(stages: list[StageStatus], expected: float) -> None:
    found = {each.name: each for each in stages}
    assert artifacts.percent(found, artifacts.STAGES["local_edits"]) == expected


def test_progress_is_one_artifact_that_moves(
    ctx: Context, connection: Connection, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "UPDATE_SECONDS", 0.05)
    seen = set()

    @flow
    def build() -> None:
        with artifacts.progress(ctx, connection):
            for name in artifacts.STAGES["pairs"]:
                ctx.stats.expect(name, 2)
                ctx.stats.count(name, done=2)
                end = time.monotonic() + 10
                before = set(seen)
                while seen == before and time.monotonic() < end:
                    seen.update(a["data"] for a in of_catalog(url, ctx, "progress"))
            ctx.stats.judged("deblur", True)

    build()
    (artifact,) = of_catalog(url, ctx, "progress")
    assert len(seen) >= 5 and artifact["data"] == 100
    assert artifact["description"].startswith("look 2/2, ingest 2/2, annotate 2/2")
    assert artifact["description"].endswith("1 of 1 kept so far: deblur 1")
    assert artifact["flow_run_id"]


def test_what_a_build_came_to(
    ctx: Context, connection: Connection, url: str, events: list[Any], told: list[str]
) -> None:
    artifacts.published(ctx, outcome(ctx), connection)
    assert told == []
    (artifact,) = of_catalog(url, ctx, "markdown")
    text = artifact["data"]
    assert text.startswith("# Release v2: 2 pairs kept of 3 made since v1\n")
    assert "| global_style_transfer | 4 | 3 | 2 | subtle 1, no_frames 1 |" in text
    assert f"report `file://{ctx.uri}/report.html`" in text
    pictures = text.split("data:image/jpeg;base64,")[1:]
    assert len(pictures) == 2  # of those that were kept
    for each in pictures:
        assert base64.b64decode(each.partition(")")[0]).startswith(b"\xff\xd8\xff")
    ((name, payload),) = events
    assert name == BUILD_FINISHED
    assert (payload["made"], payload["kept"], payload["release"]) == (3, 2, "v2")


@pytest.mark.parametrize(("least", "told_too"), [(0.0, False), (0.66, False), (0.67, True)])
def test_a_build_that_kept_too_little_tells(
    ctx: Context, connection: Connection, events: list[Any], least: float, told_too: bool
) -> None:
    artifacts.published(ctx, outcome(ctx), connection, least)
    assert [name for name, _ in events] == [BUILD_FINISHED, *[KEPT_TOO_LITTLE] * told_too]


def test_only_what_is_new_since_the_recipes_last_release_counts(ctx: Context) -> None:
    row = ctx.catalog.pairs().filter(~pl.col("keep")).collect().row(0, named=True)
    rejected = from_row(Pair, row)
    more = [dataclasses.replace(rejected, pair_id=f"new {k}") for k in range(2)]
    ctx.catalog.tables.put("pairs", by_key(more))
    ctx.catalog.release("other", '{"name": "other"}')
    ctx.catalog.release("v3", '{"name": "tiny"}')
    found = made_since(ctx.catalog, "v3", "pairs")
    assert (found.since, found.made, found.kept) == ("v2", 2, 0)
    assert made_since(ctx.catalog, "other", "pairs").made == 5  # that recipe has none before
    assert made_since(ctx.catalog, "v2", "pairs").kept == 2  # v1 had no pairs


def test_a_server_that_is_away_ends_no_build_and_is_told_once(
    ctx: Context, told: list[str], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "UPDATE_SECONDS", 0.02)
    monkeypatch.setattr(prefect_client, "DELIVERY_SECONDS", 0.5)
    away = Connection("http://127.0.0.1:9/api", threading.Event(), told.append)
    began = time.monotonic()
    with temporary_settings({PREFECT_API_URL: away.url}):
        with artifacts.progress(ctx, away):
            time.sleep(0.1)
        assert len(told) == 1 and told[0].startswith("The Prefect server's page lacks something")
        artifacts.published(ctx, outcome(ctx), away)
    assert len(told) == 2 and away.lost is None
    assert time.monotonic() - began < 30


def test_the_embedded_server_is_asked_nothing(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, events: list[Any]
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(artifacts, "get_client", lambda **settings: asked.append(settings))
    own = OrchestrationServer(None).connect(threading.Event(), lambda line: None)
    with artifacts.progress(ctx, own):
        pass
    artifacts.published(ctx, outcome(ctx), own)
    assert asked == [] and events == []
