"""What the factory handles: typed, slotted records; the tables' schemas are derived from them.

Media are named by a reference relative to the catalog's root (`media/ab/abcd….mp4`), so a
catalog can be moved or put on an object store without touching a row.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from catalog.keys import digest

FILTER_SCORES = ("construction", "quality", "alignment", "subtle")
"""What the filters say of a pair, which every build asks."""

VLM_SCORES = (
    *("vlm_instruction", "vlm_preservation", "vlm_render"),
    *("vlm_motion", "vlm_order", "vlm_best"),
)
"""What a recipe's `models.judge` says of a pair, each apart (filters.vlm); only asked by recipes
that name a judge."""

SCORES = (*FILTER_SCORES, *VLM_SCORES)
"""Filters in the order they are asked; the first that rejects gives a pair its reason."""


@dataclass(frozen=True, slots=True)
class Source:
    """One video as it was found. `licence` and `uri` travel with everything made from it.

    Files of equal content are one source: it goes by the name it was first met under.
    """

    source_id: str  # sha256 of the file
    name: str
    uri: str  # of the file of that name, as is the licence
    licence: str
    width: int  # px, as displayed (after rotation)
    height: int
    fps: float  # mean rate
    frames: int
    codec: str
    names: list[str] = field(default_factory=list)  # all it was met under, `name` first
    notes: list[str] = field(default_factory=list)  # what reading did to it: "deinterlaced" …
    author: str = ""  # to be named with what is made of it, as its licence may ask for
    media: str = ""  # media reference of the file itself, where it was fetched from elsewhere
    fingerprint: str = ""  # by which copies of it are found (filters.footage.duplicates)
    measures: dict[str, Any] = field(default_factory=dict)  # filters.footage's: numbers by name


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of one source without a cut, at most 500 frames, stored at its own resolution."""

    clip_id: str
    source_id: str
    uri: str
    licence: str
    video: str  # media reference
    first_frame: int  # in the source
    frames: int
    fps: float
    width: int
    height: int
    caption: str = ""
    caption_by: str = ""
    detailed_caption: str = ""  # of about 50 words, where the recipe's captioner writes one
    phrases: list[str] = field(default_factory=list)
    """The objects that the captioner named, lower case, without articles; the detector's words."""
    camera: list[float] = field(default_factory=list)
    """x, y per frame, flattened, px: how far the background has moved since frame 0."""
    author: str = ""  # of the source
    labels: list[str] = field(default_factory=list)
    """Those that may be given to what it shows, by its source's section of the recipe; empty: any.
    """


@dataclass(frozen=True, slots=True)
class Track:
    """One object's masks over a clip. Frames are the clip's; `last_frame` is inclusive."""

    track_id: str
    clip_id: str
    label: str
    score: float  # the detector's, 0–1, best over the keyframes
    masks: str  # media reference, one mask per frame of the clip (empty where the track is not)
    first_frame: int
    last_frame: int
    confidence: list[float]  # 0–1 per frame of the clip; 0 outside the track
    area: float  # mean share of the frame covered while alive, 0–1
    boxes: list[float]  # x0, y0, x1, y1 per frame of the clip, flattened, px; zeros where absent
    mean_score: float | None = None  # over the keyframes in its life, 0 where it was not detected
    rivals: list[float] = field(default_factory=list)
    """Others that might be taken for it and that no track follows, where the detector saw them:
    frame, x0, y0, x1, y1 each, flattened, px."""


FIRST_SEED = "first_seed"
"""What the parameters of a further attempt at an edit call the first one's seed."""


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


@dataclass(frozen=True, slots=True)
class LocalEdit:
    """A local-editing record (x, m, x̃, y) of VIVID-10M (Sec. 3): real footage, a mask, a caption.

    x is the window `first_frame`, `frames` of the clip `video`, cut to `crop` and resized to
    `width` × `height`; x̃ = x · (1 − m) is stored nowhere (:mod:`catalog.samples.local_edit` derives
    both). The mask follows from everything above `mask`, so it can be made again.
    """

    edit_id: str
    clip_id: str
    source_id: str
    subset: str  # `video`, or `image`: one frame, the clip's first
    task: str  # `addition`, `modification` or `deletion`
    label: str  # of the object whose shape the mask has; a deletion's comes from another source
    video: str  # media reference of the clip
    first_frame: int  # the window in the clip
    frames: int
    fps: float
    crop: list[int]  # what of the clip is shown: x, y, width, height, px
    width: int  # of x and m
    height: int
    track_id: str
    mask_kind: str
    grow: int  # px the mask is expanded by; 0 for kinds without
    propagation: str  # how m moves: `track`, `trajectory` (pasted, its own way) or `background`
    seed: int
    source_uri: str
    licence: str
    params: dict[str, Any] = field(default_factory=dict)  # where a pasted mask lies, and why there
    mask: str = ""  # media reference
    mask_area: float = 0.0  # mean share of the picture, 0–1
    caption_short: str = ""
    caption_medium: str = ""
    caption_long: str = ""
    caption_by: str = ""
    motion_foreground: float | None = None  # px per frame (experts.annotate.motion.statistics)
    motion_background: float | None = None  # None for an image
    motion_relative: float | None = None
    author: str = ""  # of the source


@dataclass(frozen=True, slots=True)
class Statistic:
    """One bar of one distribution over the local-editing records."""

    statistic_id: str
    name: str  # `label`, `task`, `caption_short_words`, `motion_foreground` …
    subset: str
    value: str  # the label, or the lower edge of the bin
    position: int  # of the bar in its distribution
    count: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that could not be made. `record` is the id or path it concerns."""

    failure_id: str  # see failure_id()
    stage: str
    record: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model that took part in a build, with where it came from and under which licence.

    An expert trained from a catalog (`kind` is `expert`) has its row in `trained`. It also says
    where its weights lie, what it learnt from and by which settings; :mod:`catalog.trained` keeps
    those.
    """

    model_id: str  # name@version
    name: str
    version: str
    licence: str
    origin: str
    metrics: dict[str, Any]
    kind: str = ""  # `expert` or `filter` for one that was trained here
    path: str = ""  # its folder, relative to the catalog: `models/<name>/<version>`
    config: dict[str, Any] = field(default_factory=dict)  # how it was trained
    data_ref: str = ""  # what it learnt from: a release, or `main` and its tables' versions
    parent: str = ""  # model_id of the version its training began with; empty for the base
    promoted: bool = False  # the newest promoted one is `latest`
    created_at: str = ""  # ISO 8601, UTC


@dataclass(frozen=True, slots=True)
class Label:
    """What a person said of a pair. It is never changed: of several of one pair the newest holds
    (:func:`catalog.labels.newest`)."""

    label_id: str
    pair_id: str
    good: bool  # a good edit; else a failed one
    by: str  # who said so; may be empty, as the note may
    note: str
    labelled_at: str  # ISO 8601, UTC, with microseconds


@dataclass(frozen=True, slots=True)
class Release:
    """A tag: what one recipe asked for, at the version that every table had, under one policy."""

    tag: str
    created_at: str  # ISO 8601, UTC
    tables: dict[str, Any]  # table name → Delta version
    recipe: str
    notes: str
    selection: str = ""  # whose tables these are
    policy: dict[str, Any] = field(default_factory=dict)
    """By which pairs are kept (:class:`catalog.policy.Policy`); empty: by what the rows say."""
    decided_by: list[str] = field(default_factory=list)
    """Keys of the policies under which the rows' verdicts were written."""
    without: list[str] = field(default_factory=list)
    """Parts of the tables that another build was writing at the time."""
    code: str = ""  # version of editmill
    counts: dict[str, Any] = field(default_factory=dict)  # see catalog.releases.counts.count
    models: dict[str, Any] = field(default_factory=dict)
    """The models that took part, by `model_id`: their licence and origin."""
    number: int = 0  # one more than any earlier release's; 0 in releases of before there was one


TABLES: dict[str, type] = {
    "sources": Source,
    "clips": Clip,
    "tracks": Track,
    "plans": Plan,
    "pairs": Pair,
    "local_edits": LocalEdit,
    "statistics": Statistic,
    "failures": Failure,
    "models": ModelRow,
    "trained": ModelRow,
    "labels": Label,
    "releases": Release,
}


def asked(pairs: Iterable[Pair]) -> tuple[str, ...]:
    """The names in SCORES that the pairs have something of: those of a judge only where one was
    asked."""
    judged = {name for pair in pairs for name in VLM_SCORES if name in pair.filter_versions}
    return tuple(name for name in SCORES if name not in VLM_SCORES or name in judged)


def failure_id(stage: str, record: str) -> str:
    """The key of the row in `failures` that a stage has on a record: there is at most one."""
    return digest("failure", stage, record)


def key_column(table: str) -> str:
    """The column a table is merged on: the record's first field."""
    return dataclasses.fields(TABLES[table])[0].name


def _polars_type(hint: Any) -> pl.DataType:
    if isinstance(hint, types.UnionType):  # X | None
        (hint,) = (arg for arg in typing.get_args(hint) if arg is not types.NoneType)
    if typing.get_origin(hint) is list:
        return pl.List(_polars_type(typing.get_args(hint)[0]))
    if typing.get_origin(hint) is dict:
        return pl.String()  # JSON: parameters differ from expert to expert
    scalar = {str: pl.String, int: pl.Int64, float: pl.Float64, bool: pl.Boolean}
    return scalar[hint]()


def schema(record: type) -> pl.Schema:
    """The polars schema of a record type."""
    hints = typing.get_type_hints(record)
    return pl.Schema({f.name: _polars_type(hints[f.name]) for f in dataclasses.fields(record)})


def to_row(record: Any) -> dict[str, Any]:
    """A record as a table row; mappings become JSON with sorted keys."""
    row = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    return {k: json.dumps(v, sort_keys=True) if isinstance(v, dict) else v for k, v in row.items()}


R = typing.TypeVar("R")


def from_row(record: type[R], row: dict[str, Any]) -> R:
    """The record a row holds; the inverse of :func:`to_row`.

    A field with a default that is null or absent (one added after the row was written) gives the
    default.
    """
    hints = typing.get_type_hints(record)
    values = {}
    for f in dataclasses.fields(record):  # type: ignore[arg-type]
        if not _is_required(f) and row.get(f.name) is None:
            continue
        value = row[f.name]
        values[f.name] = json.loads(value) if typing.get_origin(hints[f.name]) is dict else value
    return record(**values)


def _is_required(f: dataclasses.Field[Any]) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
