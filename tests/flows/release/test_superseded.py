"""One plan has one kept pair, the newest expert's; earlier releases keep what they had."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl

import catalog
from catalog.records import Pair, from_row
from flows.recipe import parse
from flows.runtime.context import context
from flows.stages.judge import SUPERSEDED, _superseded
from tests.flows.tiny_training import write_catalog, write_pairs

RECIPE = "name: tiny\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"


def test_a_newer_experts_pair_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    root = tmp_path / "catalog"
    write_catalog(root)
    write_pairs(root)
    ctx = context(root, parse(RECIPE, "tiny"))
    tables = ctx.catalog.tables
    pairs = [from_row(Pair, row) for row in catalog.open(root).pairs().collect().to_dicts()]
    tables.merge("pairs", [dataclasses.replace(p, plan_id=f"plan of {p.pair_id}") for p in pairs])
    kept = next(p for p in pairs if p.keep)
    others = {p.pair_id: (p.keep, p.reason) for p in pairs if p is not kept}
    before = tables.version("pairs")

    newer = dataclasses.replace(
        kept, pair_id="newer", plan_id=f"plan of {kept.pair_id}", expert_version="2"
    )
    tables.merge("pairs", [newer, *_superseded(ctx, [newer])])
    now = {p["pair_id"]: (p["keep"], p["reason"]) for p in ctx.catalog.pairs().collect().to_dicts()}
    assert now == others | {"newer": (True, ""), kept.pair_id: (False, SUPERSEDED)}
    assert _superseded(ctx, [newer]) == []
    past = tables.scan("pairs", before).filter(pl.col("keep")).collect()
    assert kept.pair_id in past["pair_id"]
