"""Annotated clips in, plans of edits out.

A plan depends on its clip, the clip's tracks and the recipe alone, so it is drawn again at no cost
and always comes out the same. A swap also depends on the objects of other clips: more footage may
bring a better donor. So swaps are planned apart, once all clips are annotated; those that a model
paints need no donor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catalog.records import Clip, Plan, Track
from experts.annotate.clip import AnnotatedClip
from experts.edit.tasks import TASKS
from experts.plan.attempts import attempts
from experts.plan.bank import Bank
from experts.plan.draw import draw, draw_swaps
from experts.plan.planners import NO_DONORS, Scene
from experts.serving import EMBEDDED, generates, provider_of
from flows.recipe import Recipe
from flows.runtime.context import Context
from flows.stages import bank, ideas
from flows.stages.recorded import ClipReference, recorded

STAGE = "plan"
SWAPS = "/swaps"
"""What the name of a clip's part ends with where it holds the swaps."""

FOLLOWING = ("edit", "instruct", "judge")
"""Stages that have a record for each plan."""


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """A clip with its tracks and the edits drawn for it."""

    clip: Clip
    tracks: dict[str, Track]
    plans: list[Plan]


def run(ctx: Context, shard: Sequence[AnnotatedClip]) -> list[PlannedClip]:
    """The shard's clips with all their plans but swaps."""
    planned = _planned(ctx, shard, NO_DONORS, draw, "")
    ctx.stats.count(STAGE, done=len(planned))
    return planned


def run_swaps(
    ctx: Context, shard: Sequence[AnnotatedClip], donors: Bank = NO_DONORS
) -> list[PlannedClip]:
    """The shard's clips with their swaps, which take their donors from `donors`."""
    return _planned(ctx, shard, donors, draw_swaps, SWAPS)


def run_donated_swaps(
    ctx: Context,
    shard: Sequence[ClipReference],
    sources: Sequence[ClipReference],
    sample: str,
) -> list[PlannedClip]:
    """The shard's clips with their swaps; `sources` are all clips of their sources, `sample` names
    the clips whose objects are offered to all (:mod:`flows.stages.bank`)."""
    clips = {each.clip.clip_id: each for each in recorded(ctx, sources)}
    donors = bank.bank_of(ctx, list(clips.values()), sample)
    return run_swaps(ctx, [clips[each.clip.clip_id] for each in shard], donors)


def has_swaps(recipe: Recipe) -> bool:
    """Whether the recipe has tasks that are planned apart, when all clips are annotated."""
    return bool(_swaps(recipe))


def needs_donors(recipe: Recipe) -> bool:
    """Whether one of those takes its object from another clip: a model that paints needs none."""
    return not all(generates(recipe.experts, task, recipe.models) for task in _swaps(recipe))


def _swaps(recipe: Recipe) -> list[str]:
    return [
        task for task, weight in recipe.plan.weights.items() if weight and TASKS[task].from_bank
    ]


def part(plan: Plan) -> str:
    """The part of the tables that a plan and its pair belong to. A clip's swaps are planned apart,
    and so they are a part of their own."""
    return plan.clip_id + (SWAPS if TASKS[plan.task].from_bank else "")


def _attempts_at(ctx: Context, plan: Plan) -> int:
    """How often it is made: another seed changes nothing where no model paints."""
    painted = provider_of(ctx.recipe.experts, plan.task) != EMBEDDED
    return ctx.recipe.plan.best_of if painted else 1


def _planned(
    ctx: Context,
    shard: Sequence[AnnotatedClip],
    donors: Bank,
    drawn: Callable[[Scene, int], list[Plan]],
    suffix: str,
) -> list[PlannedClip]:
    planned, recipe = [], ctx.recipe
    generated = [
        task for task in recipe.plan.weights if generates(recipe.experts, task, recipe.models)
    ]
    told = ideas.run(ctx, shard, generated)
    for annotated in shard:
        ctx.check_stop()
        idea = told.get(annotated.clip.clip_id, ideas.ClipIdeas())
        scene = Scene(
            annotated.clip,
            annotated.tracks,
            recipe.plan,
            donors,
            generated,
            replacements=idea.replacements,
            looks=idea.looks,
        )
        with ctx.stats.work(STAGE):
            plans = [
                attempt
                for plan in drawn(scene, recipe.seed)
                for attempt in attempts(plan, _attempts_at(ctx, plan))
            ]
        tracks = {track.track_id: track for track in annotated.tracks}
        planned.append(PlannedClip(annotated.clip, tracks, plans))
    edits = sum(len(p.plans) for p in planned)
    for stage in FOLLOWING:
        ctx.stats.expect(stage, edits)
    ctx.catalog.tables.put("plans", {p.clip.clip_id + suffix: p.plans for p in planned})
    return planned
