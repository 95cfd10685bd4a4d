"""Annotated clips in, plans of edits out: drawn from the recipe's task weights with its seed.

A plan depends on its clip, the clip's tracks and the recipe alone, so it is drawn again at no cost
and always comes out the same. A swap depends on the bank too: more footage may bring a better
donor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.keys import digest
from catalog.records import Clip, Plan, Track
from experts.annotate.kinds import alike
from experts.edit.style.adjectives import local_adjectives
from experts.edit.style.styles import global_style
from experts.edit.tasks import TASKS, Task
from experts.plan.attached import carried
from experts.plan.donors import Bank, Swap, chosen, swaps
from experts.plan.occlusion import met
from experts.plan.view import span, view
from flows.recipe import Planning
from flows.runtime.context import Context
from flows.stages.annotate import AnnotatedClip

STAGE = "plan"


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """A clip with its tracks and the edits drawn for it."""

    clip: Clip
    tracks: dict[str, Track]
    plans: list[Plan]


NO_DONORS = Bank(())


def run(ctx: Context, shard: Sequence[AnnotatedClip], bank: Bank = NO_DONORS) -> list[PlannedClip]:
    """The shard's clips with their plans; swaps take their donors from `bank`."""
    planned = []
    for annotated in shard:
        ctx.check_stop()
        with ctx.stats.work(STAGE):
            plans = draw(annotated, ctx.recipe.plan, ctx.recipe.seed, bank)
        tracks = {track.track_id: track for track in annotated.tracks}
        planned.append(PlannedClip(annotated.clip, tracks, plans))
        ctx.stats.count(STAGE, done=1)
    ctx.catalog.tables.merge("plans", [plan for p in planned for plan in p.plans])
    return planned


def draw(
    annotated: AnnotatedClip, rules: Planning, seed: int, bank: Bank = NO_DONORS
) -> list[Plan]:
    """Up to `edits_per_clip` different (task, object) by weight, without replacement; a task's
    weight is shared by the objects it suits."""
    clip = annotated.clip
    rng = np.random.default_rng(int(digest("plan", seed, clip.clip_id)[:16], 16))
    choices: list[tuple[Task, Track | None]] = []
    weights: list[float] = []
    for name, weight in rules.weights.items():
        objects = _objects(clip, annotated.tracks, TASKS[name], rules, bank) if weight else []
        choices += [(TASKS[name], track) for track in objects]
        weights += [weight / len(objects) for _ in objects]
    if not choices:
        return []
    count = min(rules.edits_per_clip, len(choices))
    share = np.array(weights) / sum(weights)
    drawn = rng.choice(len(choices), size=count, replace=False, p=share)
    return [
        _plan(clip, track, annotated.tracks, task, rules, bank, rng, seed)
        for task, track in (choices[i] for i in sorted(drawn))
    ]


def _objects(
    clip: Clip, tracks: list[Track], task: Task, rules: Planning, bank: Bank
) -> list[Track] | list[None]:
    """What the task may be drawn for: no object at all, or those that suit it."""
    if not task.needs_track:
        return [None]
    if task.name == "object_swap":
        return [t for t in tracks if swaps(clip, t, tracks, task, bank, rules)]
    suited = [t for t in tracks if view(clip, t, tracks, task, rules)]
    if task.name == "object_grounding":  # shows every instance of a label at once
        return list({track.label: track for track in reversed(suited)}.values())
    return suited


def _plan(
    clip: Clip,
    track: Track | None,
    tracks: list[Track],
    task: Task,
    rules: Planning,
    bank: Bank,
    rng: np.random.Generator,
    seed: int,
) -> Plan:
    swap: Swap | None = None
    if task.name == "object_swap" and track:
        swap = chosen(swaps(clip, track, tracks, task, bank, rules), rng)
    shown = swap.shown if swap else view(clip, track, tracks, task, rules)
    assert shown is not None  # else it had not been drawn
    label, count = track.label if track else "", 1
    phrase = shown.phrase
    prompt, negative, target_prompt = "", "", ""
    params: dict[str, Any] = {}
    match task.name:
        case "object_removal" | "object_addition":
            # Señorita-2M, remover: positive and negative prompt.
            prompt, negative = f"Remove {label}", f"Generate {label}"
            target_prompt = f"a {label}" if task.name == "object_addition" else ""
            assert track is not None
            if things := carried(track, tracks, shown.alive):
                params = {"tracks": [track.track_id, *sorted(t.track_id for t in things)]}
            seen = span(track, shown.alive, rules)
            if seen != shown.alive:
                params["span"] = [seen.start, seen.stop - seen.start]
            if others := met(track, tracks, seen):
                params["others"] = sorted(t.track_id for t in others)
        case "object_swap":
            assert track is not None and swap is not None
            # the remover's prompts, and what the footage shows in truth
            prompt, negative = f"Remove {label}", f"Generate {label}"
            params, phrase, target_prompt = swap.params(), swap.label, f"a {swap.label}"
            if things := carried(track, tracks, shown.alive):
                params["tracks"] = [track.track_id, *sorted(t.track_id for t in things)]
        case "local_style_transfer":
            prompt, params = local_adjectives(rng, label)
            target_prompt = prompt
        case "global_style_transfer":
            prompt, params = global_style(rng)
            target_prompt = prompt
        case "object_grounding":
            same = [t.track_id for t in tracks if alike(t.label, label)]
            params = {"tracks": sorted(same)}
            count = len(same)
    track_id = track.track_id if track else ""
    # By expert and not by task: an addition is the same edit as a removal, read backwards.
    edit_seed = int(digest("edit", seed, clip.clip_id, task.expert, track_id)[:8], 16)
    fields: dict[str, Any] = dict(
        clip_id=clip.clip_id,
        task=task.name,
        expert=task.expert,
        track_id=track_id,
        label=label,
        phrase=phrase,
        count=count,
        prompt=prompt,
        negative_prompt=negative,
        target_prompt=target_prompt,
        seed=edit_seed,
        first_frame=shown.first,
        frames=shown.frames,
        crop=[shown.crop.x, shown.crop.y, shown.crop.width, shown.crop.height],
        width=shown.width,
        height=shown.height,
        params=params,
    )
    return Plan(plan_id=digest("plan", fields), **fields)
