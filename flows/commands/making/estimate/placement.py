"""Which stage has which models on the GPU, how much memory they take, and for how long, as far as
that is known before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from experts.diffusion.specs import BASE_GIB, expert_named
from experts.edit.tasks import TASKS
from experts.providers import Choice
from experts.providers.models import Models
from experts.providers.requirements import Requirement, requirement
from experts.serving import COGVIDEOX, provider_of
from flows.needs import STAGES, USED_BY, slots_of
from flows.recipe import Recipe

LEFT_OUT = {
    "pairs": ("draw", "local_edit"),
    "records": ("bank", "ideas", "edit", "instruct", "judge", "vlm", "best"),
}
"""Stages that a recipe of this product has not."""

MINUTES = {"remover": 1.0, "inpainter": 2.0, "local_stylizer": 3.0}
"""Of an RTX 4090, per edit of 33 frames at 336×592, by trained expert (Señorita-2M, Sec. 3; two of
them as upper bounds)."""


@dataclass(frozen=True, slots=True)
class StageOnGpu:
    """One stage's models that lie on the GPU, and GiB that they take together."""

    stage: str
    models: tuple[str, ...]
    gib: float


def placement(recipe: Recipe) -> list[StageOnGpu]:
    """The stages that use a GPU, in their order; models of different rows take turns on it."""
    left_out = LEFT_OUT["records" if recipe.records is not None else "pairs"]
    found = []
    for stage in STAGES:
        if stage in left_out or (stage == "best" and recipe.plan.best_of == 1):
            continue
        if stage == "edit":  # a task's own, and not all that the stage opens
            found += _edits(recipe)
            continue
        slots = [slot for slot in USED_BY if slot in slots_of(stage) and slot != "footage"]
        found.append(_stage(stage, [n for slot in slots for n in _of_slot(recipe.models, slot)]))
    return [each for each in found if each.models]


def gpu_hours(recipe: Recipe, edits: Mapping[str, float]) -> tuple[float, list[str]]:
    """Hours of an RTX 4090 for the edits whose time was published, and the models on the GPU of
    which nobody measured any."""
    hours, unknown = 0.0, set()
    for task, count in edits.items():
        served = provider_of(recipe.experts, task)
        if isinstance(served, str) and served.startswith(f"{COGVIDEOX}@"):
            minutes = MINUTES.get(TASKS[task].trained)
            hours += count * (minutes or 0.0) / 60
            if minutes is None:
                unknown.add(TASKS[task].trained)
    for stage in placement(recipe):
        unknown.update(name for name in stage.models if name != COGVIDEOX)
    return hours, sorted(unknown)


def lines(recipe: Recipe, edits: Mapping[str, float], available: int | None) -> list[str]:
    """What a person is told; `available` are the bytes of this machine's GPU, None without one."""
    stages = placement(recipe)
    if not stages:
        return []
    largest = max(stage.gib for stage in stages)
    told = [
        f"GPU: stages take turns; the largest takes about {largest:.0f} GiB. "
        + _fits(largest, recipe.run.gpu_memory, available)
    ]
    told += [f"  {s.stage}: {' + '.join(s.models)}, {s.gib:.0f} GiB" for s in stages]
    hours, unknown = gpu_hours(recipe, edits)
    known = f"about {hours:.1f} of an RTX 4090 by the papers' figures" if hours else "not known"
    not_measured = f"; not measured: {', '.join(unknown)}" if unknown else ""
    return [*told, f"GPU-hours: {known}{not_measured}."]


def _fits(needed: float, budget: float | None, available: int | None) -> str:
    without = "This machine has no GPU; on its processor the build would take very long."
    if budget is not None:
        fits = "fits into" if needed <= budget else "does not fit into"
        told = f"It {fits} `run.gpu_memory`, {budget:g} GiB."
        return told if available is not None else f"{told} {without}"
    if available is None:
        return without
    fits = "fits into" if needed <= available / 2**30 else "does not fit into"
    return f"It {fits} this machine's GPU of {available / 2**30:.0f} GiB."


def _edits(recipe: Recipe) -> list[StageOnGpu]:
    """A row for each different set of models that a task's edits take."""
    found: dict[tuple[str, ...], StageOnGpu] = {}
    for task, weight in recipe.plan.weights.items():
        if not weight:
            continue
        served = provider_of(recipe.experts, task)
        needs: list[Requirement] = []
        if isinstance(served, Choice):
            needs.append(requirement("edit", served.provider, served.options))
        frame = recipe.models.first_frame_of(task)
        if frame is not None and served != "embedded":
            needs.append(requirement("first_frame", frame.provider, frame.options))
        if TASKS[task].checkpoint:
            needs += _of_slot(recipe.models, "depth")
        stage = _stage("edit", needs)
        if isinstance(served, str) and served.startswith(f"{COGVIDEOX}@"):
            own = BASE_GIB[expert_named(TASKS[task].trained).base]
            stage = StageOnGpu("edit", (COGVIDEOX, *stage.models), stage.gib + own)
        found.setdefault(stage.models, stage)
    return list(found.values())


def _of_slot(models: Models, slot: str) -> list[Requirement]:
    return [requirement(slot, each.provider, each.options) for each in models.of(slot)]


def _stage(stage: str, needs: list[Requirement]) -> StageOnGpu:
    on_gpu = [each for each in needs if each.gpu]
    return StageOnGpu(stage, tuple(e.name for e in on_gpu), sum(e.gpu for e in on_gpu))
