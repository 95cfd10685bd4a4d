"""VIVID-10M's local-editing records, and how they are distributed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LOCAL_EDIT_TASKS = ("addition", "modification", "deletion")


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
    task: str  # one of LOCAL_EDIT_TASKS
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
