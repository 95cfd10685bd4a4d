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
from flows.commands.making.estimate import gpu_costs
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


MEASURED = {COGVIDEOX, *gpu_costs.CLIP, *gpu_costs.EDIT, *gpu_costs.PAIR}


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


@dataclass(frozen=True, slots=True)
class GpuHours:
    """`published` of an RTX 4090, by the papers; `measured` of an H200 (:mod:`.gpu_costs`);
    `unknown` are models on the GPU whose time nobody measured."""

    published: float
    measured: float
    unknown: tuple[str, ...]

    def line(self) -> str:
        known = []
        if self.published:
            known.append(f"about {self.published:.2g} of an RTX 4090 by the papers' figures")
        if self.measured:
            known.append(f"at most {self.measured:.2g} of an H200 as measured")
        not_measured = f"; not measured: {', '.join(self.unknown)}" if self.unknown else ""
        return f"GPU-hours: {' and '.join(known) or 'not known'}{not_measured}."


def gpu_hours(recipe: Recipe, clips: int, edits: Mapping[str, float]) -> GpuHours:
    """Hours for so many clips, and edits by task."""
    minutes = seconds = 0.0
    unknown = set()
    for task, count in edits.items():
        trained = TASKS[task].trained
        if COGVIDEOX in _editor(recipe, task).models:
            minutes += count * MINUTES.get(trained, 0.0)
            if trained not in MINUTES:
                unknown.add(trained)
        for choice in _choices(recipe, task):
            if choice.options.get("offload"):
                unknown.add(f"{choice.provider} with offload")
            else:
                seconds += count * gpu_costs.EDIT.get(choice.provider, 0.0)
    pairs = sum(edits.values())
    for stage in placement(recipe):
        for name in stage.models:
            seconds += clips * gpu_costs.CLIP.get(name, 0.0) + pairs * gpu_costs.PAIR.get(name, 0.0)
            if name not in MEASURED:
                unknown.add(name)
    return GpuHours(minutes / 60, seconds / 3600, tuple(sorted(unknown)))


def lines(
    recipe: Recipe, clips: int, edits: Mapping[str, float], available: int | None
) -> list[str]:
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
    return [*told, gpu_hours(recipe, clips, edits).line()]


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
        if weight:
            stage = _editor(recipe, task)
            found.setdefault(stage.models, stage)
    return list(found.values())


def _editor(recipe: Recipe, task: str) -> StageOnGpu:
    """The models that an edit of the task takes."""
    needs = [requirement(c.slot, c.provider, c.options) for c in _choices(recipe, task)]
    if TASKS[task].checkpoint:
        needs += _of_slot(recipe.models, "depth")
    stage = _stage("edit", needs)
    served = provider_of(recipe.experts, task)
    if isinstance(served, str) and served.startswith(f"{COGVIDEOX}@"):
        own = BASE_GIB[expert_named(TASKS[task].trained).base]
        stage = StageOnGpu("edit", (COGVIDEOX, *stage.models), stage.gib + own)
    return stage


def _choices(recipe: Recipe, task: str) -> list[Choice]:
    """The models of the registry that make an edit of the task."""
    served = provider_of(recipe.experts, task)
    frame = None if served == "embedded" else recipe.models.first_frame_of(task)
    return [each for each in (served, frame) if isinstance(each, Choice)]


def _of_slot(models: Models, slot: str) -> list[Requirement]:
    return [requirement(slot, each.provider, each.options) for each in models.of(slot)]


def _stage(stage: str, needs: list[Requirement]) -> StageOnGpu:
    on_gpu = [each for each in needs if each.gpu]
    return StageOnGpu(stage, tuple(e.name for e in on_gpu), sum(e.gpu for e in on_gpu))
