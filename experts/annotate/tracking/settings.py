"""The tracker's thresholds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TrackLimits:
    """What every tracker of the slot asks of a track. Where no source is named, the default was
    chosen by eye on the sample clips; `infra/bench/annotation.py` shows what another changes."""

    keyframe_interval: int = 16
    """Frames between two keyframes, about."""

    max_objects: int = 6

    min_area: float = 0.002
    """Least share of the frame that a tracked mask may cover."""

    min_frames: int = 8
    """Shorter tracks are dropped (unless the clip itself is shorter)."""

    min_confidence: float = 0.5
    """A frame below this does not begin or end a track."""

    duplicate_iou: float = 0.7
    """Mask IoU above which two tracks, or box IoU above which two detections, are one object."""

    contained_share: float = 0.85
    """Share of a mask inside another of the same label above which it is a part of that."""


@dataclass(frozen=True, kw_only=True)
class TrackerSettings(TrackLimits):
    """What steers the tracker that goes from keyframe to keyframe; its defaults are from where
    those of `TrackLimits` are."""

    min_keyframe_gap: int = 4
    """Frames; no further keyframe is put in nearer than this to its neighbours."""

    working_side: int = 592
    """px; long side at which flow and masks are computed (SPEC: local edits are 592×336)."""

    split_confidence: float = 0.3
    """Least confidence between two keyframes; below it the two ends are two tracks."""

    gate_iou: float = 0.3
    """Association gate: least box IoU of a propagated mask and a detection that continues it (IoU
    trackers use .3 to .5: Bewley et al., "Simple Online and Realtime Tracking", ICIP 2016)."""

    similar_label_factor: float = 0.7
    """Factor on that IoU where the labels differ but are similar; other labels never match."""

    reidentification_iou: float = 0.4
    """Least IoU of the masks of a lost and a new track, propagated to one frame, to be one
    object."""

    agreement_iou: float = 0.6
    """Least IoU of propagated and decoded mask for a track that the detector missed."""

    prompt_trust: float = 0.5
    """Trust in a propagated mask below which it is no help to the segmenter beside a box."""

    missed_factor: float = 0.85
    """Factor on confidence for each keyframe in a row at which the detector missed the track."""

    rim: int = 3
    """px; as far from a trusted patch an untrusted pixel still belongs to a mask's edge."""

    max_growth: float = 4.0
    """Area ratio to the nearest keyframe's mask above which a mask has leaked."""
