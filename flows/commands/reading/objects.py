"""How many of a dataset's objects suit each task, and why the others do not: `editmill objects`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import track
from rich.table import Table

import catalog
from catalog.errors import EditmillError, visible
from catalog.releases import Catalog
from catalog.wording import counted
from experts.annotate.clip import AnnotatedClip
from experts.edit.tasks import TASKS, Task
from experts.plan.bank import Bank
from experts.plan.planners import NO_DONORS, Scene, planner_of
from experts.plan.view import Unsuited
from experts.serving import generates
from flows.commands.tables import console, print_table
from flows.recipe import Recipe
from flows.replay.inputs import annotated_clips, context_of, recipe_of
from flows.stages import bank, plan

WHY: Mapping[Unsuited, str] = {
    Unsuited.LABEL_IN_DOUBT: "of no sure label (min_score, min_mean_score)",
    Unsuited.TOO_BRIEF: "there too briefly (frames, shortest_frames)",
    Unsuited.NOT_FOLLOWED: "not surely followed (min_confidence)",
    Unsuited.TOO_SMALL: "too small (min_area, smallest_long_side)",
    Unsuited.TOO_LARGE: "too large (max_area)",
    Unsuited.OUT_OF_VIEW: "cut by the picture's edge",
    Unsuited.KIND_IN_DOUBT: "of a kind of which not every one is surely followed",
    Unsuited.NEVER_UNCOVERED: "before a background that no frame shows (max_invented)",
    Unsuited.NOT_TOLD_APART: "that no words tell from their like",
    Unsuited.NO_DONOR: "that nothing is like enough to replace",
}
"""With the rules of the recipe's `plan` that decide."""


@dataclass(frozen=True, slots=True)
class Suitability:
    """Of some clips the objects by label, and per task how many suit it and how many do not, by
    reason."""

    clips: int
    clips_in_all: int
    objects: Counter[str]
    suited: Counter[str]
    unsuited: dict[str, Counter[Unsuited]]


def show(root: str, *, recipe: str | None, clips: int, as_json: bool) -> None:
    """Prints a row a task. Raises EditmillError where there is no such catalog or recipe, or no
    clip in it."""
    dataset = catalog.open(root)
    found = suitability(dataset, recipe_of(dataset, recipe), clips)
    if as_json:
        print(json.dumps(_document(found)))
        return
    kinds = ", ".join(f"{n} {visible(label)}" for label, n in found.objects.most_common())
    few = "" if found.clips == found.clips_in_all else f"{found.clips} of "
    objects, total = counted(found.objects.total(), "object"), counted(found.clips_in_all, "clip")
    print(f"{objects} in {few}{total}" + (f": {kinds}" if kinds else ""))
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("task", no_wrap=True)
    table.add_column("suited", no_wrap=True, justify="right")
    table.add_column("the others are")
    for task, suited in found.suited.items():
        reasons = (f"{n} {WHY[why]}" for why, n in found.unsuited[task].most_common())
        table.add_row(task, f"{suited} of {found.objects.total()}", ", ".join(reasons))
    print_table(console(), table)


def suitability(dataset: Catalog, recipe: Recipe, most: int) -> Suitability:
    """Of `most` clips at most, drawn by their ids, for each task of the recipe that needs an
    object. Swaps find their donors among these clips.

    Raises EditmillError where the dataset has no clip, or the recipe plans no edits of objects.
    """
    if recipe.records is not None:
        raise EditmillError(
            f"recipe {recipe.name} makes local-editing records, and `objects` counts for the tasks "
            "of pairs; name a recipe for pairs with --recipe, or list the objects with `editmill "
            f'query "select label, count(*) n from tracks group by label" --catalog {dataset.uri}`'
        )
    tasks = _tasks(recipe)
    if not tasks:
        raise EditmillError(
            f"recipe {recipe.name} plans no edits of objects; name another with --recipe"
        )
    ids = sorted(dataset.clips().select("clip_id").collect()["clip_id"])
    if not ids:
        raise EditmillError(
            f"{dataset.uri}: has no clips; `editmill status --catalog {dataset.uri}` says how far "
            "its build is, or how it ended"
        )
    shown = annotated_clips(dataset, ids[:most])
    suited = Counter({task.name: 0 for task in tasks})
    unsuited = {task.name: Counter[Unsuited]() for task in tasks}
    screen = Console(stderr=True)
    for scene in track(
        _scenes(dataset, recipe, shown), "looking", len(shown), console=screen, transient=True
    ):
        for task in tasks:
            planner = planner_of(task, task.name in scene.generated)
            for each in scene.tracks:
                reason = planner.unsuited(scene, task, each)
                if reason is None:
                    suited[task.name] += 1
                else:
                    unsuited[task.name][reason] += 1
    labels = Counter(each.label for annotated in shown for each in annotated.tracks)
    return Suitability(len(shown), len(ids), labels, suited, unsuited)


def choices(dataset: Catalog, recipe: Recipe) -> dict[str, dict[str, int]]:
    """By the clip's id, how many edits of objects could be drawn for each task of the recipe."""
    return {
        scene.clip.clip_id: {
            task.name: len(planner_of(task, task.name in scene.generated).objects(scene, task))
            for task in _tasks(recipe)
        }
        for scene in _scenes(dataset, recipe, annotated_clips(dataset))
    }


def _tasks(recipe: Recipe) -> list[Task]:
    """Those of the recipe that need an object."""
    weights = recipe.plan.weights.items()
    return [TASKS[name] for name, weight in weights if weight and TASKS[name].needs_track]


def _scenes(dataset: Catalog, recipe: Recipe, clips: Sequence[AnnotatedClip]) -> Iterator[Scene]:
    """As a build plans them, but for what a language model may have named as replacements."""
    generated = [
        task for task in recipe.plan.weights if generates(recipe.experts, task, recipe.models)
    ]
    donors = NO_DONORS
    if plan.needs_donors(recipe):
        donors = Bank(bank.candidates(context_of(dataset, recipe), clips))
    for each in clips:
        yield Scene(each.clip, each.tracks, recipe.plan, donors, generated)


def _document(found: Suitability) -> dict[str, object]:
    tasks = {
        task: {"suited": suited}
        | {why.name.lower(): n for why, n in found.unsuited[task].most_common()}
        for task, suited in found.suited.items()
    }
    clips = {"clips": found.clips, "clips_in_all": found.clips_in_all}
    return clips | {"objects": dict(found.objects), "tasks": tasks}
