"""The eighteen editing tasks as a recipe has them: `editmill tasks`."""

from __future__ import annotations

import json
import os
from typing import Any

from rich.table import Table

from experts.edit.tasks import TASKS, Task
from experts.serving import generates, name_of, provider_of
from flows.commands.tables import console, print_table
from flows.recipe import Recipe, load

FOOTAGE = "footage"

MADE: dict[str, str] = {
    "object_removal": "footage without the object",
    "object_addition": "footage without the object",
    "object_swap": "another clip's object in its place",
    "local_style_transfer": "object recoloured, in a material or painted",
    "global_style_transfer": "whole clip in a style",
    "object_grounding": "each object in a colour, all else black",
    "inpainting": "footage with a moving hole",
    "outpainting": "footage inside a black border",
    "canny_to_video": "Canny edges",
    "hed_detection": "HED edges",
    "hed_to_video": "HED edges",
    "fake_scribble_detection": "thick strokes",
    "fake_scribble_to_video": "thick strokes",
    "depth_detection": "depth, bright is near",
    "depth_to_video": "depth, bright is near",
    "colorization": "grey footage",
    "deblur": "blurred footage",
    "upscaling": "footage at a half or a quarter of its size",
}
"""What an expert makes, on the task's `made_side`; the other side is footage (docs/tasks.md)."""


def show(recipe_name: str, as_json: bool) -> None:
    """Prints a row a task. Raises EditmillError where there is no such recipe."""
    recipe = load(recipe_name)
    rows = [task_row(task, recipe) for task in TASKS.values()]
    if as_json:
        print(json.dumps(rows))
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("task", "source", "target", "needs", "weight", recipe.name):
        table.add_column(heading, no_wrap=heading == "task")
    for row in rows:
        table.add_row(
            row["task"],
            row["source"],
            row["target"],
            row["needs"] or "–",
            f"{row['weight']:g}",
            "[green]on[/green]" if row["on"] else f"off: {row['why']}",
        )
    print_table(console(), table)


def task_row(task: Task, recipe: Recipe) -> dict[str, Any]:
    """A task as `recipe` has it: what both sides show, which is made, by what (`served_by`), what
    it `needs`, and `on` or, if not, `why`."""
    sides = {"source": FOOTAGE, "target": FOOTAGE} | {task.made_side: MADE[task.name]}
    weight = recipe.plan.weights.get(task.name, 0.0)
    why = _why_off(task, recipe)
    return {
        "task": task.name,
        **sides,
        "made_side": task.made_side,
        "needs": _needs(task, generates(recipe.experts, task.name, recipe.models)),
        "served_by": name_of(provider_of(recipe.experts, task.name)),
        "weight": weight,
        "on": not why,
        "why": why,
    }


def _needs(task: Task, generated: bool) -> str:
    if task.checkpoint:
        return "a depth model (`models.depth`)"
    if task.name == "object_swap" and not generated:
        return "an object, and a like one in another clip"
    return "an object" if task.needs_track else ""


def _why_off(task: Task, recipe: Recipe) -> str:
    """Empty for a task that a build would make."""
    if recipe.records is not None:
        return "the recipe makes local-editing records, not pairs"
    if task.checkpoint and not (recipe.models.depth or os.environ.get(task.checkpoint)):
        return "no model chosen: `models: {depth: depth_anything}`, see docs/tasks.md"
    if recipe.plan.weights.get(task.name):
        return ""
    return "its weight is 0" if task.name in recipe.plan.weights else "no weight in the recipe"
