"""One edit made several times, from several seeds, so that the best of them can be kept."""

from __future__ import annotations

import dataclasses

from catalog.keys import digest
from catalog.records import FIRST_SEED, Plan


def attempts(plan: Plan, count: int) -> list[Plan]:
    """The plan, and `count` − 1 more that differ from it in their seed. Nothing but seeds goes into
    them, so that an addition still is the edit that the removal of the same object made."""
    more = [
        dataclasses.replace(
            plan,
            plan_id=digest("attempt", plan.plan_id, number),
            seed=int(digest("attempt", plan.seed, number)[:8], 16),
            params={**plan.params, FIRST_SEED: plan.seed},
        )
        for number in range(1, count)
    ]
    return [plan, *more]


def edit_of(plan: Plan) -> tuple[str, str, str, int]:
    """Equal for the attempts at one edit, and for no other plans of a build."""
    return plan.clip_id, plan.task, plan.track_id, plan.first_seed
