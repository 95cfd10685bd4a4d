"""The recipe's judge in the judge stage: scores of its own, kept apart from the filters'."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import catalog
from catalog import media
from catalog.media import sample_frames
from catalog.records import VLM_SCORES, Pair
from experts.edit.job import Side
from filters.vlm.judge import VlmJudge
from flows.recipe import parse
from flows.runtime.context import Context, context
from flows.stages.edit import Edit
from flows.stages.instruct import InstructedEdit
from flows.stages.judging import judge, vlm
from flows.stages.judging.samples import ShardSamples
from tests.checkpoints import vefx_reward
from tests.filters.vlm.scripted import ScriptedChat, grades, removal
from tests.flows.tiny_training import FRAMES, HEIGHT, WIDTH, write_catalog

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers")
    return vefx_reward.make(tmp_path_factory.mktemp("vefx"))


def _context(root: Path, checkpoint: Path | None, **rules: object) -> Context:
    models = {}
    if checkpoint:
        models["judge"] = {
            "provider": "reward_model",
            "checkpoint": str(checkpoint),
            "prompt": str(checkpoint / "prompt.txt"),
            "device": "cpu",
        }
    document = {
        "name": "tiny",
        "sources": [{"kind": "folder", "path": "v"}],
        "plan": {"weights": {"deblur": 1}},
        "models": models,
        "filters": {"vlm": rules} if rules else {},
    }
    return context(root, parse(json.dumps(document), "tiny"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "catalog"


@pytest.fixture
def shard(root: Path) -> list[InstructedEdit]:
    """A removal that changed nothing, and a deblurring, of one clip."""
    written = write_catalog(root, sources=1)
    (clip,) = context(root, parse(RECIPE, "tiny")).catalog.tables.records("clips")
    side = Side(clip.video, WIDTH, HEIGHT, FRAMES)
    edits = []
    for task in ("object_removal", "deblur"):
        plan = dataclasses.replace(written.plan, plan_id=task, task=task)
        track = context(root, parse(RECIPE, "tiny")).catalog.tables.records("tracks")[0]
        edit = Edit(plan, clip, side, side, track.masks, "tiny", "1", {})
        edits.append(InstructedEdit(edit, "Remove the dog.", "", "template", "", [], []))
    return edits


RECIPE = "name: tiny\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"


def _by_task(pairs: list[Pair]) -> dict[str, Pair]:
    return {pair.task: pair for pair in pairs}


def test_a_recipe_without_a_judge_asks_none(root: Path, shard: list[InstructedEdit]) -> None:
    ctx = _context(root, None)
    for pair in judge.run(ctx, shard):
        assert not set(pair.filter_versions) & set(VLM_SCORES)
        assert pair.vlm_instruction_score is None and not pair.vlm_instruction_reason
    assert vlm.STAGE not in ctx.stats.stages


def test_what_it_says_is_kept_apart_and_said_once(
    root: Path, shard: list[InstructedEdit], checkpoint: Path
) -> None:
    ctx = _context(root, checkpoint)
    pairs = _by_task(judge.run(ctx, shard))
    removal, deblur = pairs["object_removal"], pairs["deblur"]
    assert 1 <= removal.vlm_instruction_score <= 5
    assert 1 <= removal.vlm_preservation_score <= 5 and 1 <= removal.vlm_render_score <= 5
    assert (removal.vlm_order_score, removal.vlm_order_reason) == (None, "not_measured")
    assert (deblur.vlm_render_score, deblur.vlm_render_reason) == (None, "not_measured")
    assert removal.filter_versions["vlm_render"] == removal.filter_versions["vlm_motion"]
    assert not removal.keep and removal.reason == "untouched"
    assert ctx.stats.stages[vlm.STAGE].done == 2

    again = _context(root, checkpoint)
    assert _by_task(judge.run(again, shard)) == pairs
    assert again.stats.stages[vlm.STAGE].done == 0
    assert again.stats.stages[vlm.STAGE].reused == 2

    with_scores = catalog.open(root).scores().filter(pl.col("filter").is_in(VLM_SCORES)).collect()
    assert len(with_scores) == 2 * len(VLM_SCORES)


@pytest.mark.parametrize("budget", [1 << 30, 0])
def test_frames_are_read_once_for_filters_and_judge_within_a_budget(
    root: Path,
    shard: list[InstructedEdit],
    checkpoint: Path,
    budget: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: Counter[str] = Counter()

    def counted(path: Path, *args: Any) -> Any:
        read[path.name] += 1
        return sample_frames(path, *args)

    monkeypatch.setattr(media, "sample_frames", counted)
    monkeypatch.setattr(judge, "ShardSamples", lambda ctx, **_: ShardSamples(ctx, budget))
    judge.run(_context(root, checkpoint), shard)
    (times,) = read.values()  # both sides of both pairs are one video
    assert times == (1 if budget else 2 * 2 * 2)


def test_what_got_no_answer_is_asked_again_by_the_next_build(
    root: Path, shard: list[InstructedEdit]
) -> None:
    edit = shard[:1]
    sample = lambda _: removal(0)  # noqa: E731
    busy, idle = (VlmJudge(ScriptedChat(lambda *_, said=said: said)) for said in ("", grades(4)))
    ctx = _context(root, None)
    (judgement,) = vlm.judged(ctx, edit, busy, sample, asked=[True])
    assert judgement.reason == "abstained" and ctx.worth_retrying
    (failure,) = ctx.catalog.tables.records("failures")
    assert (failure.stage, failure.reason) == (vlm.STAGE, "no_answer")

    again = _context(root, None)
    (judgement,) = vlm.judged(again, edit, idle, sample, asked=[True])
    assert judgement.scores["instruction"] == 4
    assert not list(again.catalog.tables.records("failures"))


def test_thresholds_ask_nothing_anew(
    root: Path, shard: list[InstructedEdit], checkpoint: Path
) -> None:
    free = _by_task(judge.run(_context(root, checkpoint), shard))["object_removal"]
    ctx = _context(root, checkpoint, render=5)
    strict = _by_task(judge.run(ctx, shard))["object_removal"]
    assert strict.vlm_render_score == free.vlm_render_score
    assert (free.vlm_render_reason, strict.vlm_render_reason) == ("", "bad_render")
    assert ctx.stats.stages[vlm.STAGE].done == 0


def test_only_what_the_filters_keep_may_be_asked_about(
    root: Path, shard: list[InstructedEdit], checkpoint: Path
) -> None:
    ctx = _context(root, checkpoint, of="kept")
    pairs = judge.run(ctx, shard)
    assert [p.vlm_instruction_reason for p in pairs] == ["not_measured"] * 2
    kept = sum(pair.keep for pair in pairs)
    assert ctx.stats.stages[vlm.STAGE].done == kept < 2
