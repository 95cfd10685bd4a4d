"""Edits: planned, made and judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FIRST_SEED = "first_seed"
"""What the parameters of a further attempt at an edit call the first one's seed."""

PAIR_TASKS = (
    "object_removal",
    "object_addition",
    "object_swap",
    "local_style_transfer",
    "global_style_transfer",
    "object_grounding",
    "inpainting",
    "outpainting",
    "canny_to_video",
    "hed_detection",
    "hed_to_video",
    "fake_scribble_detection",
    "fake_scribble_to_video",
    "depth_detection",
    "depth_to_video",
    "colorization",
    "deblur",
    "upscaling",
)
"""The tasks of pairs: the names of the registry `experts.edit.tasks`, which readers of a catalog
need not have."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One edit to be made; everything an expert needs, so that the pair can be rebuilt from it."""

    plan_id: str
    clip_id: str
    task: str
    expert: str
    track_id: str  # empty for tasks without an object
    label: str
    phrase: str  # how the instruction refers to the object: "car", "person on the left"
    count: int  # instances meant
    prompt: str  # the expert's
    negative_prompt: str
    target_prompt: str  # what the target shows, for the alignment filter; empty if nothing nameable
    seed: int
    first_frame: int  # the window in the clip
    frames: int
    crop: list[int]  # what of the clip the edit shows: x, y, width, height, px
    width: int  # the edit's size
    height: int
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def first_seed(self) -> int:
        """Of several attempts at one edit, the seed of the first (`experts.plan.attempts`)."""
        seed: int = self.params.get(FIRST_SEED, self.seed)
        return seed


@dataclass(frozen=True, slots=True)
class Pair:
    """The first-class record: source, target, instruction, and what it takes to trust it."""

    pair_id: str
    clip_id: str
    source_id: str
    task: str
    label: str
    instruction: str
    enhanced_instruction: str
    instruction_by: str  # `model` or `template`
    instruction_model: str
    prompt: str
    negative_prompt: str
    target_prompt: str
    caption: str
    source_video: str
    target_video: str
    mask: str  # empty where the task has none
    generated_side: str  # `source` or `target`: the other side is real footage
    expert: str
    expert_version: str
    seed: int
    params: dict[str, Any]
    track_id: str
    first_frame: int
    source_width: int
    source_height: int
    source_frames: int
    source_fps: float
    target_width: int
    target_height: int
    target_frames: int
    target_fps: float
    source_uri: str
    licence: str
    keep: bool
    reason: str  # empty if kept
    quality_score: float | None
    quality_reason: str
    alignment_score: float | None
    alignment_reason: str
    subtle_score: float | None
    subtle_reason: str
    filter_versions: dict[str, Any]
    phrasings: list[str] = field(default_factory=list)  # ways to say it, the instruction first
    phrasings_by: list[str] = field(default_factory=list)  # `model` or `template`, per phrasing
    enhanced_by: str = ""  # who wrote what the enhanced instruction says beyond the command
    plan_id: str = ""  # its row in `plans` is what `editmill rebuild` starts from
    construction_score: float | None = None
    construction_reason: str = ""
    output_licence: str = ""  # what the expert's output stands under (SPDX); empty: not known
    may_train: bool | None = None  # whether that licence lets the output train any model
    author: str = ""  # of the source
    vlm_instruction_score: float | None = None  # 1–5: does what the instruction says
    vlm_instruction_reason: str = ""
    vlm_preservation_score: float | None = None  # 1–5: leaves the rest as it was
    vlm_preservation_reason: str = ""
    vlm_render_score: float | None = None  # 1–5: looks real
    vlm_render_reason: str = ""
    vlm_motion_score: float | None = None  # 0 or 1: the instruction agrees with the motion
    vlm_motion_reason: str = ""
    vlm_order_score: float | None = None  # 0 or 1: source and target are not swapped
    vlm_order_reason: str = ""
    vlm_best_score: float | None = None  # of several attempts at an edit: 1 the best, 0 another
    vlm_best_reason: str = ""
    vlm_why: dict[str, Any] = field(default_factory=dict)  # a sentence for each 1–5, in its words
    # dB, 20·log10(RMSE / 255): how far off the background behind a removed object is expected to be
    fill_error: float | None = None
