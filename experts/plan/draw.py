"""The edits of a clip, drawn from the recipe's task weights with its seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.keys import digest
from catalog.records import Plan, Track
from experts.edit.tasks import TASKS, Task
from experts.plan.planners import Scene, planner_of
from experts.plan.rules import Planning
from experts.plan.shown import shown_caption
from experts.plan.view import View
from experts.write.request import shows_caption


@dataclass(frozen=True, slots=True)
class _Choice:
    """A task, the object it may be drawn for, and how likely it is against other choices."""

    task: Task
    track: Track | None
    weight: float


def draw(scene: Scene, seed: int) -> list[Plan]:
    """Up to `edits_per_clip` edits of the scene, all but swaps, each another (task, object).

    Those that edit one object come first, as many as :func:`quotas` wants; then as many as it
    leaves, of any task. Both are drawn by their tasks' weights without replacement; a task's weight
    is shared by the objects it suits.
    """
    rng = _rng("plan", seed, scene)
    choices = _choices(scene, from_bank=False)
    local = [choice for choice in choices if choice.task.local]
    wanted, left = quotas(scene.rules)
    first = _drawn(local, min(len(local), wanted), rng)
    others = [choice for choice in choices if choice not in first]
    room = min(left, scene.rules.edits_per_clip - len(first), len(others))
    drawn = [*first, *_drawn(others, room, rng)]
    return [_plan(scene, choice, rng, seed) for choice in sorted(drawn, key=choices.index)]


def quotas(rules: Planning) -> tuple[int, int]:
    """(edits of one object, edits beside them) of a clip, at most, without its swaps.

    A clip of few objects is not filled up with edits of the whole picture, or these would outnumber
    the others in a build of such clips, whatever `local_share` asks for. One edit, at least, is
    made of every clip, and of two or more one is of the whole picture unless `local_share` is 1.
    Where no weight asks for edits of one object, all are of the whole picture.
    """
    tasks = [TASKS[name] for name, weight in rules.weights.items() if weight]
    if not any(task.local and not task.from_bank for task in tasks):
        return 0, rules.edits_per_clip
    local = math.ceil(rules.local_share * rules.edits_per_clip)
    if rules.local_share < 1 < rules.edits_per_clip:
        local = min(local, rules.edits_per_clip - 1)
    return local, max(1, rules.edits_per_clip - local)


def draw_swaps(scene: Scene, seed: int) -> list[Plan]:
    """Up to `swaps_per_clip` swaps, whose donors come from the scene's bank, unless they are
    generated."""
    rng = _rng("plan swaps", seed, scene)
    choices = _choices(scene, from_bank=True)
    drawn = _drawn(choices, min(scene.rules.swaps_per_clip, len(choices)), rng)
    return [_plan(scene, choice, rng, seed) for choice in drawn]


def _rng(what: str, seed: int, scene: Scene) -> np.random.Generator:
    return np.random.default_rng(int(digest(what, seed, scene.clip.clip_id)[:16], 16))


def _choices(scene: Scene, from_bank: bool) -> list[_Choice]:
    found = []
    for name, weight in scene.rules.weights.items():
        task = TASKS[name]
        planner = planner_of(task, name in scene.generated)
        if weight and task.from_bank == from_bank:
            objects = planner.objects(scene, task)
            found += [_Choice(task, track, weight / len(objects)) for track in objects]
    return found


def _drawn(choices: Sequence[_Choice], count: int, rng: np.random.Generator) -> list[_Choice]:
    if not count:
        return []
    weights = np.array([choice.weight for choice in choices])
    picked = rng.choice(len(choices), size=count, replace=False, p=weights / weights.sum())
    return [choices[i] for i in sorted(picked)]


def _plan(scene: Scene, choice: _Choice, rng: np.random.Generator, seed: int) -> Plan:
    task, track, clip = choice.task, choice.track, scene.clip
    draft = planner_of(task, task.name in scene.generated).draft(scene, task, track, rng)
    shown = draft.view
    track_id = track.track_id if track else ""
    # By expert and not by task: an addition is the same edit as a removal, read backwards.
    edit_seed = int(digest("edit", seed, clip.clip_id, task.expert, track_id)[:8], 16)
    fields: dict[str, Any] = dict(
        clip_id=clip.clip_id,
        task=task.name,
        expert=task.expert,
        track_id=track_id,
        label=track.label if track else "",
        phrase=draft.phrase,
        count=draft.count,
        prompt=draft.prompt,
        negative_prompt=draft.negative_prompt,
        target_prompt=draft.target_prompt,
        seed=edit_seed,
        first_frame=shown.first,
        frames=shown.frames,
        crop=[shown.crop.x, shown.crop.y, shown.crop.width, shown.crop.height],
        width=shown.width,
        height=shown.height,
        params={**draft.params, **_scenery(scene, task, draft.view)},
    )
    return Plan(plan_id=digest("plan", fields), **fields)


def _scenery(scene: Scene, task: Task, shown: View) -> dict[str, str]:
    """What a generating expert is told of the footage around its edit, and what an instruction says
    is to be seen, where that is not all that the clip shows."""
    if task.name in scene.generated:
        return {"caption": scene.clip.caption} if scene.clip.caption else {}
    if not shows_caption(task.name):
        return {}
    caption = shown_caption(scene.clip, scene.tracks, shown.crop, shown.alive)
    return {"caption": caption} if caption != scene.clip.caption else {}
