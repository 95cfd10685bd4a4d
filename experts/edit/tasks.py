"""The registry of editing tasks: which expert serves one, at what size, on which side of the pair.

A task is a row here and a class that honours `experts.base.Expert`; docs/extend.md says where its
words and its judgement belong.
"""

from __future__ import annotations

import functools
import importlib
import threading
from dataclasses import dataclass
from typing import Literal, cast

from catalog.errors import EditmillError
from experts.base import Expert

Side = Literal["source", "target"]


@dataclass(frozen=True, slots=True)
class Size:
    """Height and width in px of a landscape clip (a portrait one swaps them) and a frame count."""

    height: int
    width: int
    frames: int


LOCAL = Size(336, 592, 33)
"""Removal, addition, swap, local style (Señorita-2M: 336×592 or 592×336, 33 frames)."""

GLOBAL_STYLE = Size(336, 592, 33)
"""Global style. Señorita-2M states its expert's frame count (33) and training sizes only; the
local edits' size keeps both stylizers' pairs alike."""

HOLE = Size(1280, 1984, 64)
"""Inpainting and outpainting (Señorita-2M: 1280×1984, 64 frames)."""

CONDITIONAL = Size(1120, 1984, 64)
"""Object grounding and the conditional tasks (Señorita-2M: 1120×1984, 64 frames)."""


@dataclass(frozen=True, slots=True)
class Task:
    """One editing task.

    `expert` is `module:Class`, imported only when asked for. The expert's output goes to
    `made_side` of the pair; the other side is real footage. `phrase` is the raw instruction an
    LLM rewords; `alignment` says whether the text-alignment filter measures the task. `checkpoint`
    is the environment variable that must name a model, where no registry carries one. `trained` is
    the CogVideoX expert that can serve instead (`experts.diffusion.specs`).

    `planner` is the `module:Class` that draws the task's edits (`experts.plan.planners`), and
    `generated` the one that does so where its expert paints what it is told, if that differs. A
    `plural` task means every object of a kind in the picture. One that `uncovers` shows what its
    object hides, which other frames must have seen. One `from_bank` takes an object from another
    clip, and so waits until all are annotated; a swap waits even where it need not, so that a
    clip's swaps are one part of the tables. Where a model paints what it is told, `ideas` says what
    a language model is asked for about each kind of object (`experts.write.ideas`): what may
    replace it, or looks it could take on.
    """

    name: str
    expert: str
    made_side: Side
    needs_track: bool
    size: Size
    phrase: str  # a format string over label, other, prompt and caption
    alignment: bool = False
    checkpoint: str = ""
    trained: str = ""
    planner: str = "experts.plan.planners:Planner"
    generated: str = ""
    plural: bool = False
    uncovers: bool = False
    from_bank: bool = False
    ideas: Literal["", "replacements", "looks"] = ""

    @property
    def local(self) -> bool:
        """Whether the task edits one object and keeps the rest of the picture."""
        return self.needs_track and not self.plural

    @property
    def height(self) -> int:
        """Height in px of a landscape edit."""
        return self.size.height

    @property
    def width(self) -> int:
        """Width in px of a landscape edit."""
        return self.size.width

    @property
    def frames(self) -> int:
        """Frames of an edit."""
        return self.size.frames

    def raw(self, label: str = "", prompt: str = "", caption: str = "", other: str = "") -> str:
        """The raw phrase, with its gaps filled and no space left at an empty one."""
        filled = self.phrase.format(label=label, other=other, prompt=prompt, caption=caption)
        return " ".join(filled.split())


_PLANNERS = "experts.plan.planners:"
_REMOVER = "experts.edit.remover:Remover"
_CANNY = "experts.edit.maps.canny:CannyMap"
_HED = "experts.edit.maps.hed:HedMap"
_SCRIBBLE = "experts.edit.maps.fake_scribble:FakeScribbleMap"
_DEPTH = "experts.edit.maps.depth:DepthMap"

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            "object_removal",
            _REMOVER,
            "target",
            True,
            LOCAL,
            "Remove {label}",
            trained="remover",
            planner=f"{_PLANNERS}RemovalPlanner",
            uncovers=True,
        ),
        # A removal read backwards: the source lacks the object, the target is the real footage.
        Task(
            "object_addition",
            _REMOVER,
            "source",
            True,
            LOCAL,
            "Add {label}",
            alignment=True,
            trained="remover",
            planner=f"{_PLANNERS}RemovalPlanner",
            uncovers=True,
        ),
        # Likewise: the source shows another clip's object (`other`) in the place of the real one.
        Task(
            "object_swap",
            "experts.edit.swap:Swap",
            "source",
            True,
            LOCAL,
            "Swap {other} for {label}",
            alignment=True,
            trained="inpainter",
            from_bank=True,
            ideas="replacements",
            planner=f"{_PLANNERS}SwapPlanner",
            generated=f"{_PLANNERS}GeneratedSwapPlanner",
        ),
        Task(
            "local_style_transfer",
            "experts.edit.style.local_stylizer:LocalStylizer",
            "target",
            True,
            LOCAL,
            "Make {label} {prompt}",
            alignment=True,
            trained="local_stylizer",
            ideas="looks",
            planner=f"{_PLANNERS}LocalStylePlanner",
        ),
        Task(
            "global_style_transfer",
            "experts.edit.style.global_stylizer:GlobalStylizer",
            "target",
            False,
            GLOBAL_STYLE,
            "Make it {prompt}",
            alignment=True,
            trained="global_stylizer",
            planner=f"{_PLANNERS}GlobalStylePlanner",
        ),
        Task(
            "object_grounding",
            "experts.edit.maps.grounding:Grounding",
            "target",
            True,
            CONDITIONAL,
            "Detect {label}",
            planner=f"{_PLANNERS}GroundingPlanner",
            plural=True,
        ),
        Task(
            "inpainting",
            "experts.edit.holes.inpainting:Inpainting",
            "source",
            False,
            HOLE,
            "inpaint {caption}",
        ),
        Task(
            "outpainting",
            "experts.edit.holes.outpainting:Outpainting",
            "source",
            False,
            HOLE,
            "outpaint {caption}",
        ),
        Task("canny_to_video", _CANNY, "source", False, CONDITIONAL, "canny to video {caption}"),
        Task("hed_detection", _HED, "target", False, CONDITIONAL, "Detect HED edges"),
        Task("hed_to_video", _HED, "source", False, CONDITIONAL, "HED to video {caption}"),
        Task(
            "fake_scribble_detection",
            _SCRIBBLE,
            "target",
            False,
            CONDITIONAL,
            "Detect fake scribbles",
        ),
        Task(
            "fake_scribble_to_video",
            _SCRIBBLE,
            "source",
            False,
            CONDITIONAL,
            "fake scribble to video {caption}",
        ),
        Task(
            "depth_detection",
            _DEPTH,
            "target",
            False,
            CONDITIONAL,
            "Detect depth",
            checkpoint="EDITMILL_DEPTH",
        ),
        Task(
            "depth_to_video",
            _DEPTH,
            "source",
            False,
            CONDITIONAL,
            "depth to video {caption}",
            checkpoint="EDITMILL_DEPTH",
        ),
        Task(
            "colorization",
            "experts.edit.degrade.colorization:Greying",
            "source",
            False,
            CONDITIONAL,
            "Colorize {caption}",
        ),
        Task(
            "deblur", "experts.edit.degrade.deblur:Blurring", "source", False, CONDITIONAL, "Deblur"
        ),
        Task(
            "upscaling",
            "experts.edit.degrade.upscaling:Downscaling",
            "source",
            False,
            CONDITIONAL,
            "Upscale",
        ),
    )
}


def task_named(name: str) -> Task:
    """The task of that name; :class:`EditmillError` naming the known ones if there is none."""
    try:
        return TASKS[name]
    except KeyError:
        known = ", ".join(sorted(TASKS))
        raise EditmillError(f"task {name!r} is not known; use one of: {known}") from None


TRAINED = tuple(dict.fromkeys(task.trained for task in TASKS.values() if task.trained))
"""The CogVideoX experts that serve a task."""

EDITORS = (
    "senorita_editor",
    "senorita_control_edit",
    "senorita_ff_ins_edit",
    "senorita_ins_edit",
    "vivid_editor",
)
"""Models that edit by what they are told, trained on a dataset; they serve no task. What they are
says `experts.diffusion.specs`, which takes seconds to import."""


_lock = threading.Lock()


def expert_for(task: Task | str) -> Expert:
    """The process's one instance of the task's embedded expert, not yet loaded.

    Which make a recipe wants, `experts.serving` knows. Tasks of one expert class share the
    instance, so that its weights are in memory once.
    """
    path = (task_named(task) if isinstance(task, str) else task).expert
    with _lock:  # else two threads might each build one
        return _build(path)


@functools.cache
def _build(path: str) -> Expert:
    module, _, name = path.partition(":")
    return cast(Expert, getattr(importlib.import_module(module), name)())
