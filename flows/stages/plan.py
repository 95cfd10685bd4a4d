"""Annotated clips in, plans of edits out: drawn from the recipe's task weights with its seed.

A plan depends on its clip, the clip's tracks and the recipe alone, so it is drawn again at no cost
and always comes out the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.keys import digest
from catalog.media import fit_size
from catalog.records import Clip, Plan, Track
from experts.edit.adjectives import local_adjectives
from experts.edit.styles import global_style
from experts.edit.tasks import TASKS, Task
from flows.carried import carried
from flows.context import Context
from flows.framing import Crop, around, boxes_of, widest
from flows.recipe import Planning
from flows.refer import crowded, refer
from flows.stages.annotate import AnnotatedClip

STAGE = "plan"
IN_VIEW = 0.8
"""Share of an object's box that must lie within an edit's crop."""


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """A clip with its tracks and the edits drawn for it."""

    clip: Clip
    tracks: dict[str, Track]
    plans: list[Plan]


def run(ctx: Context, shard: Sequence[AnnotatedClip]) -> list[PlannedClip]:
    """The shard's clips with their plans."""
    planned = []
    for annotated in shard:
        ctx.check_stop()
        with ctx.stats.work(STAGE):
            plans = draw(annotated, ctx.recipe.plan, ctx.recipe.seed)
        tracks = {track.track_id: track for track in annotated.tracks}
        planned.append(PlannedClip(annotated.clip, tracks, plans))
        ctx.stats.count(STAGE, done=1)
    ctx.catalog.tables.merge("plans", [plan for p in planned for plan in p.plans])
    return planned


def draw(annotated: AnnotatedClip, rules: Planning, seed: int) -> list[Plan]:
    """Up to `edits_per_clip` different (task, object) by weight, without replacement; a task's
    weight is shared by the objects it suits."""
    clip = annotated.clip
    rng = np.random.default_rng(int(digest("plan", seed, clip.clip_id)[:16], 16))
    choices: list[tuple[Task, Track | None]] = []
    weights: list[float] = []
    for name, weight in rules.weights.items():
        objects = _objects(clip, annotated.tracks, TASKS[name], rules) if weight else []
        choices += [(TASKS[name], track) for track in objects]
        weights += [weight / len(objects) for _ in objects]
    if not choices:
        return []
    count = min(rules.edits_per_clip, len(choices))
    share = np.array(weights) / sum(weights)
    drawn = rng.choice(len(choices), size=count, replace=False, p=share)
    return [
        _plan(clip, track, annotated.tracks, task, rules, rng, seed)
        for task, track in (choices[i] for i in sorted(drawn))
    ]


def _objects(
    clip: Clip, tracks: list[Track], task: Task, rules: Planning
) -> list[Track] | list[None]:
    """What the task may be drawn for: no object at all, or those that suit it."""
    if not task.needs_track:
        return [None]
    suited = [t for t in tracks if _suits(clip, t, tracks, task, rules)]
    if task.name == "object_grounding":  # shows every instance of a label at once
        return list({track.label: track for track in reversed(suited)}.values())
    return suited


def edit_size(clip: Clip, task: Task, rules: Planning) -> tuple[int, int, int]:
    """(height, width, frames): the task's, turned for a portrait clip, at most the clip's own."""
    height, width = task.height, task.width
    if clip.height > clip.width:
        height, width = width, height
    if rules.long_side and max(height, width) > rules.long_side:
        scale = rules.long_side / max(height, width)
        height, width = round(height * scale), round(width * scale)
    height, width = fit_size(clip.width, clip.height, height, width)
    return height, width, min(task.frames, clip.frames, rules.frames or task.frames)


def _suits(clip: Clip, track: Track, tracks: list[Track], task: Task, rules: Planning) -> bool:
    height, width, frames = edit_size(clip, task, rules)
    first = window(track, frames)
    if first is None:
        return False
    alive = slice(first, first + frames)
    if float(np.mean(track.confidence[alive])) < rules.min_confidence:
        return False
    crop = _crop(clip, track, task, alive, height, width)
    area = track.area * clip.width * clip.height / (crop.width * crop.height)
    if not rules.min_area <= area <= rules.max_area:
        return False
    if task.name == "object_grounding":  # none need be told apart
        return not crowded(track.label, tracks, crop, alive)
    in_view = crop.share_in_view(boxes_of(track)[alive]) >= IN_VIEW
    return in_view and refer(track, tracks, crop, alive) is not None


def _crop(
    clip: Clip, track: Track | None, task: Task, alive: slice, height: int, width: int
) -> Crop:
    """Around the object of an edit; the widest where there is none, or all of a kind are meant."""
    if track is None or task.name == "object_grounding":
        return widest(clip, height, width)
    return around(clip, boxes_of(track)[alive], height, width)


def window(track: Track, frames: int) -> int | None:
    """The first frame of the stretch of `frames` frames, all with the object, in which the track is
    surest; None if it does not live that long."""
    last_start = track.last_frame - frames + 1
    if last_start < track.first_frame:
        return None
    sums = np.convolve(track.confidence, np.ones(frames), "valid")
    sums = np.round(sums[track.first_frame : last_start + 1], 6)
    best = np.flatnonzero(sums == sums.max())
    return track.first_frame + int(best[len(best) // 2])


def _plan(
    clip: Clip,
    track: Track | None,
    tracks: list[Track],
    task: Task,
    rules: Planning,
    rng: np.random.Generator,
    seed: int,
) -> Plan:
    height, width, frames = edit_size(clip, task, rules)
    first = window(track, frames) if track else 0
    assert first is not None  # _suits saw to it
    alive = slice(first, first + frames)
    crop = _crop(clip, track, task, alive, height, width)
    label = track.label if track else ""
    phrase, count = label, 1
    prompt, negative, target_prompt = "", "", ""
    params: dict[str, Any] = {}
    match task.name:
        case "object_removal" | "object_addition":
            # Señorita-2M, remover: positive and negative prompt.
            prompt, negative = f"Remove {label}", f"Generate {label}"
            target_prompt = f"a {label}" if task.name == "object_addition" else ""
            if track and (things := carried(track, tracks, alive)):
                params = {"tracks": [track.track_id, *sorted(t.track_id for t in things)]}
        case "local_style_transfer":
            prompt, params = local_adjectives(rng, label)
            target_prompt = prompt
        case "global_style_transfer":
            prompt, params = global_style(rng)
            target_prompt = prompt
        case "object_grounding":
            same = [t.track_id for t in tracks if t.label == label]
            params = {"tracks": sorted(same)}
            count = len(same)
    if track and task.name != "object_grounding":
        phrase = refer(track, tracks, crop, alive) or label
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
        first_frame=first,
        frames=frames,
        crop=[crop.x, crop.y, crop.width, crop.height],
        width=width,
        height=height,
        params=params,
    )
    return Plan(plan_id=digest("plan", fields), **fields)
