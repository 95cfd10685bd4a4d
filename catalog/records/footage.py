"""What edits are made from: videos as they were found, their clips, and the objects in those."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


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
    background: str = ""
    """Reference of a PNG of the clip's size: what stands still behind all that moves, as the whole
    shot shows it; transparent where that is not known. Empty where the camera moves."""


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
    confidence: list[float]
    """0–1 per frame of the clip, 0 outside the track: of the tracker or, of an object that is
    `uncovered`, how well the mask covers what differs from the background, if that is more."""
    area: float  # mean share of the frame covered while alive, 0–1
    boxes: list[float]  # x0, y0, x1, y1 per frame of the clip, flattened, px; zeros where absent
    mean_score: float | None = None  # over the keyframes in its life, 0 where it was not detected
    rivals: list[float] = field(default_factory=list)
    """Others that might be taken for it and that no track follows, where the detector saw them:
    frame, x0, y0, x1, y1 each, flattened, px."""
    uncovered: bool = False  # whether the clip's `background` shows what is behind it
