"""A build makes a release only where a pair or a record changed, and none of nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import polars as pl
import pytest

import catalog
from catalog.policy import Policy
from catalog.records import Failure, Pair, Release, from_row
from catalog.releases import Catalog
from catalog.report import FailureLine
from flows.recipe import parse
from flows.release import local_edits, pairs
from flows.release.outcome_page import outcome_page
from flows.release.pairs import failure_lines
from flows.release.since import made_by
from flows.release.unchanged import unchanged
from flows.runtime.context import Context, context
from tests.flows.tiny_training import release_footage, write_pairs
from tests.parts import by_key

RECIPE = "name: tiny\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"
RECORDS = "name: tiny\nsources: [{kind: folder, path: v}]\nrecords: {}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A catalog with pairs, released as v2."""
    folder = tmp_path / "catalog"
    release_footage(str(folder), range(2))
    write_pairs(folder)
    catalog.open(folder).release("v2", "recipe")
    return folder


def now(root: Path) -> Release | None:
    return unchanged(catalog.open(root), "recipe")


def pairs_of(dataset: Catalog) -> list[Pair]:
    rows = dataset.tables.scan("pairs").collect()
    return [from_row(Pair, row) for row in rows.iter_rows(named=True)]


def test_a_failure_makes_no_release(root: Path) -> None:
    failed = Failure("f", "fetch", "v.mp4", "gone", "v.mp4: is gone")
    catalog.open(root).tables.put("failures", by_key([failed]))
    same = now(root)
    assert same is not None and same.tag == "v2"
    assert unchanged(catalog.open(root), "another recipe") is None


def test_pairs_that_were_written_again_make_no_release_and_others_do(root: Path) -> None:
    dataset = catalog.open(root)
    first, *others = pairs_of(dataset)
    version = dataset.tables.version("pairs")
    dataset.tables.remove("pairs", pl.col("pair_id") == first.pair_id)
    assert now(root) is None
    dataset.tables.put("pairs", {"again": [first]})
    assert dataset.tables.version("pairs") != version
    same = now(root)
    assert same is not None and same.tag == "v2"
    changed = dataclasses.replace(first, instruction="Do something else.")
    dataset.tables.put("pairs", {"again": [changed]})
    assert now(root) is None
    assert len(pairs_of(dataset)) == len(others) + 1


def test_another_policy_makes_a_release(root: Path) -> None:
    dataset = catalog.open(root)
    dataset.policy = Policy(off=("subtle",))
    assert unchanged(dataset, "recipe") is None


def test_failures_of_one_message_are_told_once(tmp_path: Path) -> None:
    ctx: Context = context(tmp_path / "catalog", parse(RECIPE, "tiny"))
    said = ["it is black"] * 3 + [f"v{k}.mp4: is black" for k in range(7)]
    failed = [Failure(f"f{k}", "look", str(k), "black", text) for k, text in enumerate(said)]
    ctx.catalog.tables.put("failures", by_key(failed))
    (line,) = failure_lines(ctx)
    assert line.messages == [said[0], *said[3:7]]
    assert (line.count, line.more) == (10, 3)


@pytest.mark.parametrize(("recipe", "product"), [(RECIPE, pairs), (RECORDS, local_edits)])
def test_nothing_made_is_no_release(tmp_path: Path, recipe: str, product: object) -> None:
    ctx: Context = context(tmp_path / "catalog", parse(recipe, "tiny"))
    failed = Failure("f", "look", "v.mp4", "black", "v.mp4: is black")
    ctx.catalog.tables.put("failures", by_key([failed]))
    assert failure_lines(ctx) == [FailureLine("look", "black", 1, ["v.mp4: is black"])]
    outcome = product.publish(ctx, None)  # type: ignore[attr-defined]
    assert (outcome.release, ctx.catalog.releases()) == ("", [])
    assert "nothing was made" in outcome.line()
    json.dumps(dataclasses.asdict(outcome))
    page = outcome_page(ctx.catalog, outcome, made_by(ctx.catalog, outcome))
    assert page.startswith("# No release") and "1 failure," in page
    assert "v.mp4: is black" in (tmp_path / "catalog" / "report.html").read_text()
    assert "failures say why" in outcome.line()
    outcome.totals["failures"] = 0
    assert outcome.line().endswith(f"editmill objects --catalog {outcome.catalog}")
