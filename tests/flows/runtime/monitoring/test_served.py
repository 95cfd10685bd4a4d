"""What a build asked of models on servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from experts import batching
from experts.providers import chosen
from experts.write.chat.usage import Usage
from flows.recipe import Recipe, parse
from flows.runtime.monitoring.served import notes, since, usage
from tests.flows.hub_models import ScriptedServer

PRICED = {"price_per_million_input": 1000.0, "price_per_million_output": 2000.0}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    running = ScriptedServer()
    yield running
    running.http.shutdown()
    running.http.server_close()


def recipe(server: ScriptedServer, **more: Any) -> Recipe:
    served = {"provider": "vlm", "server": server.url, "model": "seer"}
    models = {
        "captions": served,
        "region_captions": {**served, "model": "describer"},
        "write": {"provider": "openai", "base_url": server.url, "model": "writer", **PRICED},
        "judge": {"provider": "openai", "base_url": server.url, "model": "seer"},
        **more,
    }
    plan = {"weights": {"deblur": 1}}
    source = {"kind": "folder", "path": "v"}
    return parse(
        json.dumps({"name": "x", "sources": [source], "plan": plan, "models": models}), "x"
    )


SCHEMA = {"type": "object", "properties": {"candidates": {"type": "array"}}}


def ask(model: Any, times: int) -> None:
    talk = [{"role": "user", "content": "Name some."}]
    model.complete([talk] * times, [0] * times, n=1, temperature=0, max_tokens=9, schema=SCHEMA)


def test_each_model_is_counted_once_with_what_it_costs(server: ScriptedServer) -> None:
    asked = recipe(server)
    before = usage(asked)
    assert set(before) == {"seer", "writer"}  # pairs have no regions
    assert since(before, usage(asked)) == {}
    ask(chosen(asked.models.write, threads=asked.run.threads), times=3)
    spent = since(before, usage(asked))
    assert spent == {"writer": Usage(3, 300, 30, 0.36)}
    assert notes(spent) == ["writer: 3 requests, 300 tokens asked, 30 answered, cost 0.36."]
    ask(chosen(asked.models.write, threads=asked.run.threads), times=1)
    assert since(before, usage(asked))["writer"].requests == 4


def test_a_recipe_without_servers_asks_none() -> None:
    embedded = parse(
        "name: x\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}", "x"
    )
    assert usage(embedded) == {}


def test_a_halved_batch_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "_reduced", {})
    batches = batching.Batches("dino", 8)

    def call(items: Any) -> Any:
        if len(items) > 3:
            raise MemoryError
        return items

    assert batches.over(list(range(9)), call) == list(range(9))
    assert notes({}) == ["dino: a batch of 8 did not fit into the memory, so it went on with 2."]
