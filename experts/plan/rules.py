"""The recipe's `plan` section."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from catalog.validated import Part
from experts.annotate.captions.labels import STEADY
from experts.edit.tasks import TASKS

LEAST_WEIGHT = 1e-6
"""Less is no chance at all beside the largest that is allowed, and nothing can be drawn by it."""

MOST_PX = 16_384
"""Of a side: as much as an H.264 video has."""

MOST_FRAMES = 10_000
"""Far above what a clip has."""


class Planning(Part):
    """Which edits are drawn."""

    edits_per_clip: int = Field(default=6, ge=1, le=1000)
    # Of them edit one object; a clip of fewer objects has fewer edits (experts.plan.draw.quotas).
    local_share: float = Field(default=0.6, ge=0, le=1)
    # Beside these, where other clips have donors.
    swaps_per_clip: int = Field(default=2, ge=0, le=1000)
    # Attempts at each edit that an expert paints from a seed; `models.judge` finds the best.
    best_of: int = Field(default=1, ge=1, le=1000, exclude_if=lambda count: count == 1)
    weights: dict[str, Annotated[float, Field(ge=0, le=1e6)]] = Field(
        min_length=1,
        description="how often each task is drawn, as {deblur: 1}; `editmill tasks` lists them",
    )
    min_area: float = Field(default=0.004, gt=0, le=1)  # of the frame; below, nobody sees the edit
    wanted_area: float = Field(default=0.02, gt=0, le=1)  # of an object worth looking at
    # Of a removal; above, too little is left around it.
    max_area: float = Field(default=0.30, gt=0, le=1)
    max_invented: float = Field(default=0.003, ge=0, le=1)  # of the frame, painted unseen by anyone
    # dB, 20·log10(RMSE / 255): how far off a removal's fill may be expected to be. Looked at on the
    # sources to tune on: above -20 most are broken (infra/bench/results/removal.md).
    max_fill_error: float = Field(default=-20.0, le=0)
    # Frames to each side that a removal looks at, too.
    removal_span: int = Field(default=33, ge=0, le=MOST_FRAMES)
    min_score: float = Field(default=0.6, ge=0, le=1)  # the detector's; below are reflections, too
    # The same over all keyframes, as captions ask it (experts.annotate.captions.labels).
    min_mean_score: float = Field(default=STEADY, ge=0, le=1)
    min_confidence: float = Field(default=0.65, ge=0, le=1)  # in nine tenths of an edit's frames
    # An object too small, or not to be told apart, at the papers' size may be shown in a smaller
    # edit, closer to it, with this long side at least in px; None: never.
    smallest_long_side: int | None = Field(default=None, ge=128, le=MOST_PX)
    # One that is not surely followed for the papers' frames may be shown in a shorter edit.
    shortest_frames: int | None = Field(default=None, ge=2, le=MOST_FRAMES)
    # Caps all tasks; None: the papers'.
    frames: int | None = Field(default=None, ge=2, le=MOST_FRAMES)
    # Caps every edit's size; None: the papers'.
    long_side: int | None = Field(default=None, ge=128, le=MOST_PX)

    @field_validator("weights")
    @classmethod
    def _known_tasks(cls, weights: dict[str, float]) -> dict[str, float]:
        for task in weights:
            if task not in TASKS:
                raise ValueError(f"no task is called {task!r}; there are: {', '.join(TASKS)}")
            if 0 < weights[task] < LEAST_WEIGHT:
                raise ValueError(f"{task} has next to no weight; give 0, or at least 0.000001")
        if not any(weights.values()):
            raise ValueError("at least one task needs a weight above 0")
        return weights

    @model_validator(mode="after")
    def _possible(self) -> Planning:
        self.check_order("min_area", "max_area")
        self.check_order("shortest_frames", "frames")
        self.check_order("smallest_long_side", "long_side")
        drawn = [task for task, weight in self.weights.items() if weight]
        if self.swaps_per_clip == 0 and all(TASKS[task].from_bank for task in drawn):
            raise ValueError(
                f"`swaps_per_clip` is 0, and `weights` draws nothing but {', '.join(drawn)}"
            )
        return self
