"""The provenance document of a pair: its fields, in the order of the pair's way.

Sections are named as the catalog's tables and hold their columns under the same names;
`ingredients`, `relationship` and `digital_source_type` are C2PA's terms. docs/provenance.md says
which terms of W3C PROV they are. A field is added without a new version; one that is removed or
means something else takes a new :data:`VERSION`.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

VERSION = 1

Relationship = Literal["parentOf", "componentOf", "inputTo"]
"""Of an ingredient (C2PA): the footage that was edited; footage that was pasted in; footage from
which everything in the picture was made anew."""


class Medium(TypedDict):
    """One of the pair's files: where it lies in the catalog, and its content's hash."""

    ref: str
    sha256: str
    generated: bool  # by the expert; else it is footage


class Ingredient(TypedDict):
    """Footage that the generated video was made from."""

    relationship: Relationship
    source_id: str  # sha256 of the file
    uri: str
    licence: str
    clip_id: str


class SourceProvenance(TypedDict):
    """The video as it was found (a row of `sources`)."""

    source_id: str
    name: str
    uri: str
    licence: str
    width: int
    height: int
    fps: float
    frames: int
    codec: str
    notes: list[str]
    author: str | None  # to be named with what is made of it; None in older catalogs


class ClipCut(TypedDict):
    """The stretch of the source that was annotated (a row of `clips`)."""

    clip_id: str
    video: str
    first_frame: int  # in the source
    frames: int
    fps: float
    width: int
    height: int
    caption: str
    caption_by: str


class ObjectProvenance(TypedDict):
    """The object that was edited (a row of `tracks`)."""

    track_id: str
    label: str
    score: float
    confidence: float | None  # mean over the frames that have one, 0–1
    masks: str
    first_frame: int  # in the clip; `last_frame` is inclusive
    last_frame: int
    area: float


class EditPlan(TypedDict):
    """The edit as it was drawn (a row of `plans`): `editmill rebuild` starts from it."""

    plan_id: str
    seed: int
    first_frame: int  # in the clip
    frames: int
    crop: list[int]
    width: int
    height: int
    phrase: str
    count: int
    prompt: str
    negative_prompt: str
    target_prompt: str


class ModelProvenance(TypedDict):
    """A model whose version the pair names (a row of `models` or `trained`)."""

    model_id: str
    licence: str
    origin: str


class EditProvenance(TypedDict):
    """How the generated side was made."""

    expert: str
    expert_version: str
    models: list[ModelProvenance]
    generated_side: Literal["source", "target"]
    seed: int
    params: dict[str, Any]  # drawn with the plan, and measured while editing
    digital_source_type: str  # IPTC's term
    output_licence: str | None
    may_train: bool | None


class InstructionProvenance(TypedDict):
    """The words, and who wrote them."""

    text: str
    enhanced: str
    by: str  # `model` or `template`
    model: str
    models: list[ModelProvenance]
    phrasings: list[str]


class FilterScore(TypedDict):
    """What one filter said."""

    name: str
    version: str
    score: float | None
    reason: str  # empty where it passed
    models: list[ModelProvenance]


class VerdictProvenance(TypedDict):
    """What follows from scores and policy."""

    keep: bool
    reason: str


class ReleasedAs(TypedDict):
    """The release that the document was read from."""

    tag: str
    created_at: str
    recipe: str  # its name
    selection: str  # whose tables these are
    code: str  # version of editmill
    tables: dict[str, int]  # table → Delta version
    models: list[str]  # ids of all that took part, those of the annotation too


class Provenance(TypedDict):
    """The way of a pair from its source to the release.

    `source`, `clip` and `plan` are null where the row is gone, `track` also where the task has no
    object; `policy` (of thresholds, :mod:`catalog.policy`) where no build set one, and `release` at
    `main`.
    """

    version: int
    pair_id: str
    task: str
    media: dict[str, Medium]  # `source`, `target`, and `mask` where there is one
    ingredients: list[Ingredient]
    source: SourceProvenance | None
    clip: ClipCut | None
    track: ObjectProvenance | None
    plan: EditPlan | None
    edit: EditProvenance
    instruction: InstructionProvenance
    filters: list[FilterScore]
    policy: dict[str, Any] | None
    verdict: VerdictProvenance
    release: ReleasedAs | None
