"""Attempts at one edit differ in their seed alone."""

from __future__ import annotations

import dataclasses

from catalog.records import Clip, Plan
from experts.plan.attempts import attempts, edit_of
from experts.write.request import request_for

PLAN = Plan(
    "p", "c", "object_removal", "e", "t", "dog", "dog", 1, "Remove dog", "", "", 7, 0, 33,
    [0, 0, 64, 48], 64, 48, {"span": [0, 40]},
)  # fmt: skip
CLIP = Clip("c", "s", "file:v", "CC0-1.0", "media/v", 0, 33, 25.0, 64, 48)


def test_the_first_is_the_plan_itself() -> None:
    assert attempts(PLAN, 1) == [PLAN]
    assert attempts(PLAN, 3)[0] == PLAN
    assert attempts(PLAN, 2) == attempts(PLAN, 3)[:2]  # more of them change none


def test_they_differ_in_their_seed_alone_and_are_told_alike() -> None:
    made = attempts(PLAN, 4)
    assert len({plan.seed for plan in made}) == len({plan.plan_id for plan in made}) == 4
    for plan in made[1:]:
        assert plan.params == {"span": [0, 40], "first_seed": 7}
        own = {"plan_id": "p", "seed": 7, "params": PLAN.params}
        assert dataclasses.replace(plan, **own) == PLAN
    assert len({edit_of(plan) for plan in made}) == 1
    assert [request_for(plan, CLIP) for plan in made] == [request_for(PLAN, CLIP)] * 4


def test_an_addition_is_still_its_removals_edit() -> None:
    added = dataclasses.replace(PLAN, plan_id="q", task="object_addition")
    both = zip(attempts(PLAN, 3), attempts(added, 3), strict=True)
    assert all((a.seed, a.params) == (b.seed, b.params) for a, b in both)
    assert edit_of(added) != edit_of(PLAN)
