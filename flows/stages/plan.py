"""Annotated clips in, plans of edits out.

A plan depends on its clip, the clip's tracks and the recipe alone, so it is drawn again at no cost
and always comes out the same. A swap also depends on the objects of other clips: more footage may
bring a better donor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.records import Clip, Plan, Track
from experts.annotate.clip import AnnotatedClip
from experts.plan.donors import Bank
from experts.plan.draw import draw
from experts.plan.planners import NO_DONORS, Scene
from flows.runtime.context import Context

STAGE = "plan"


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """A clip with its tracks and the edits drawn for it."""

    clip: Clip
    tracks: dict[str, Track]
    plans: list[Plan]


def run(ctx: Context, shard: Sequence[AnnotatedClip], bank: Bank = NO_DONORS) -> list[PlannedClip]:
    """The shard's clips with their plans; swaps take their donors from `bank`."""
    planned = []
    for annotated in shard:
        ctx.check_stop()
        scene = Scene(annotated.clip, annotated.tracks, ctx.recipe.plan, bank)
        with ctx.stats.work(STAGE):
            plans = draw(scene, ctx.recipe.seed)
        tracks = {track.track_id: track for track in annotated.tracks}
        planned.append(PlannedClip(annotated.clip, tracks, plans))
        ctx.stats.count(STAGE, done=1)
    ctx.catalog.tables.merge("plans", [plan for p in planned for plan in p.plans])
    return planned
