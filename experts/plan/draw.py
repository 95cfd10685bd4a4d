"""The edits of a clip, drawn from the recipe's task weights with its seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.keys import digest
from catalog.records import Plan, Track
from experts.edit.tasks import TASKS, Task
from experts.plan.planners import Scene, planner_of


@dataclass(frozen=True, slots=True)
class _Choice:
    """A task, the object it may be drawn for, and how likely it is against other choices."""

    task: Task
    track: Track | None
    weight: float


def draw(scene: Scene, seed: int) -> list[Plan]:
    """Up to `edits_per_clip` different (task, object) by weight, without replacement; a task's
    weight is shared by the objects it suits."""
    rng = np.random.default_rng(int(digest("plan", seed, scene.clip.clip_id)[:16], 16))
    choices = _choices(scene)
    count = min(scene.rules.edits_per_clip, len(choices))
    return [_plan(scene, choice, rng, seed) for choice in _drawn(choices, count, rng)]


def _choices(scene: Scene) -> list[_Choice]:
    found = []
    for name, weight in scene.rules.weights.items():
        task = TASKS[name]
        objects = planner_of(task).objects(scene, task) if weight else []
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
    draft = planner_of(task).draft(scene, task, track, rng)
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
        params=draft.params,
    )
    return Plan(plan_id=digest("plan", fields), **fields)
