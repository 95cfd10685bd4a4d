"""What a stage needs of a worker: processors, memory, a GPU.

Memory was measured on builds of the shipped recipes at the papers' sizes (the `peak MB` column that
a build ends with), and rounded up; a GPU is needed where a model of the stage lies on one.
"""

from __future__ import annotations

from dataclasses import dataclass

from experts.providers import Choice, provider
from experts.serving import EMBEDDED
from flows.needs import slots_of
from flows.recipe import Recipe

GIB = 1 << 30

MEMORY: dict[str, float] = {
    "fetch": 0.5,
    "look": 1.0,
    "ingest": 1.0,
    "annotate": 2.5,
    "bank": 1.0,
    "plan": 1.0,
    "edit": 2.5,
    "instruct": 1.5,
    "judge": 2.0,
    "draw": 0.5,
    "local_edit": 2.0,
}
"""GiB by stage, without what models take on a GPU."""

WITHIN: dict[str, tuple[str, ...]] = {
    "annotate": ("caption",),
    "plan": ("ideas",),
    "judge": ("vlm", "best"),
}
"""Stages that have no task of their own, by the stage whose task carries them out."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Of one task: processors, bytes of memory, GPUs."""

    cpus: float
    memory: int
    gpus: float


def resources(recipe: Recipe, stage: str) -> Resources:
    """What a task of the stage needs under this recipe."""
    slots = slots_of(stage, *WITHIN.get(stage, ()))
    gpu = any(_on_gpu(choice) for choice in recipe.choices() if choice.slot in slots)
    if stage == "edit":
        gpu |= any(
            _on_gpu(given) if isinstance(given, Choice) else given != EMBEDDED
            for given in recipe.experts.values()
        )
    return Resources(recipe.run.threads, round(MEMORY[stage] * GIB), float(gpu))


def _on_gpu(choice: Choice) -> bool:
    """A model that runs in the worker's own process and wants a GPU, unless it was sent off it."""
    wanted = str(choice.options.get("device", "auto"))
    return provider(choice.slot, choice.provider).needs.gpu > 0 and wanted != "cpu"
