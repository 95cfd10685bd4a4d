"""Attempts at an edit: one is kept, the others stay as rejected pairs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from catalog.errors import EditmillError
from catalog.records import Clip
from experts.edit.job import Side
from experts.plan.attempts import attempts
from filters.base import PairFrames
from filters.vlm.judge import VlmJudge
from flows.recipe import parse
from flows.runtime.context import Context, context
from flows.stages.edit import Edit
from flows.stages.instruct import InstructedEdit
from flows.stages.judging import best
from flows.stages.plan import _attempts_at
from tests.filters.vlm.scripted import ScriptedChat, brighter, removal
from tests.flows.tiny_training import FRAMES, HEIGHT, WIDTH, write_catalog

RECIPE = """
name: tiny
sources: [{kind: folder, path: v}]
plan: {weights: {object_removal: 1}, best_of: 3}
models: {judge: {provider: openai, model: m}}
"""


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    write_catalog(tmp_path / "catalog", sources=1)
    return context(tmp_path / "catalog", parse(RECIPE, "tiny"))


@pytest.fixture
def edits(ctx: Context, tmp_path: Path) -> list[InstructedEdit]:
    """Three attempts at one edit and one at another."""
    written = write_catalog(tmp_path / "other", sources=1)
    (clip,) = ctx.catalog.tables.records("clips")
    assert isinstance(clip, Clip)
    other = dataclasses.replace(written.plan, plan_id="other", track_id="another")
    found = []
    for plan in (*attempts(written.plan, 3), other):
        # what each made: another video
        side = Side(f"media/{plan.plan_id}.mp4", WIDTH, HEIGHT, FRAMES)
        edit = Edit(plan, clip, side, side, "", "tiny", "1", {})
        found.append(InstructedEdit(edit, "Remove the dog.", "", "template", "", [], []))
    return found


class Shown:
    """The frames of attempts: greys of these levels, in the attempts' order."""

    def __init__(self, edits: list[InstructedEdit], levels: tuple[int, ...]) -> None:
        ids = [edit.edit.plan.plan_id for edit in edits]
        self._levels = dict(zip(ids, levels, strict=True))

    def __call__(self, edit: InstructedEdit) -> PairFrames:
        return removal(self._levels[edit.edit.plan.plan_id])


def test_the_best_of_those_that_are_kept(ctx: Context, edits: list[InstructedEdit]) -> None:
    judge = VlmJudge(ScriptedChat(brighter))
    shown = Shown(edits, (60, 120, 240, 10))
    assert best.best_attempts(ctx, edits, [True] * 4, judge, shown) == [0, 0, 1, None]
    without = [True, True, False, True]
    assert best.best_attempts(ctx, edits, without, judge, shown) == [0, 1, None, None]
    alone = [True, False, False, True]
    assert best.best_attempts(ctx, edits, alone, judge, shown) == [None] * 4


def test_nothing_is_compared_twice(ctx: Context, edits: list[InstructedEdit]) -> None:
    chat = ScriptedChat(brighter)
    shown = Shown(edits, (60, 240, 120, 10))
    first = best.best_attempts(ctx, edits, [True] * 4, VlmJudge(chat), shown)
    asked = len(chat.asked)
    assert asked == 6  # every two, in both orders
    assert best.best_attempts(ctx, edits, [True] * 4, VlmJudge(chat), shown) == first
    assert len(chat.asked) == asked
    assert ctx.stats.stages[best.STAGE].reused == 1


def test_a_recipe_that_wants_the_best_names_a_judge(tmp_path: Path) -> None:
    without = RECIPE.replace("models: {judge: {provider: openai, model: m}}", "")
    with pytest.raises(EditmillError, match=r"models\.judge") as error:
        parse(without, "tiny")
    assert "\n" not in str(error.value)
    assert "best_of" not in str(parse(without.replace(", best_of: 3", ""), "t").decisions())


def test_only_what_a_model_paints_is_made_several_times(
    ctx: Context, tmp_path: Path, edits: list[InstructedEdit]
) -> None:
    plan = edits[0].edit.plan
    assert _attempts_at(ctx, plan) == 1  # embedded: another seed changes nothing
    recipe = RECIPE + "experts: {object_removal: wan_vace}\n"
    painted = context(tmp_path / "catalog", parse(recipe, "tiny"))
    assert _attempts_at(painted, plan) == 3
