"""The tracker's thresholds.

Annotations are evaluated here and now, since a recipe's options are checked against those that a
dataclass of another module inherits.
"""

from dataclasses import dataclass

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from experts.providers.bounds import Share


@dataclass(frozen=True, kw_only=True)
class TrackLimits:
    """What every tracker of the slot asks of a track. Where no source is named, the default was
    chosen by eye on the sample clips; `infra/bench/annotation.py` shows what another changes."""

    keyframe_interval: PositiveInt = 16
    """Frames between two keyframes, about."""

    max_objects: PositiveInt = 6

    min_area: Share = 0.002
    """Least share of the frame that a tracked mask may cover."""

    min_frames: PositiveInt = 8
    """Shorter tracks are dropped (unless the clip itself is shorter)."""

    min_confidence: Share = 0.5
    """A frame below this does not begin or end a track."""

    duplicate_iou: Share = 0.7
    """Mask IoU above which two tracks, or box IoU above which two detections, are one object."""

    contained_share: Share = 0.85
    """Share of a mask inside another of the same label above which it is a part of that."""


@dataclass(frozen=True, kw_only=True)
class TrackerSettings(TrackLimits):
    """What steers the tracker that goes from keyframe to keyframe; its defaults are from where
    those of `TrackLimits` are."""

    min_keyframe_gap: PositiveInt = 4
    """Frames; no further keyframe is put in nearer than this to its neighbours."""

    working_side: PositiveInt = 592
    """px; long side at which flow and masks are computed (SPEC: local edits are 592×336)."""

    split_confidence: Share = 0.3
    """Least confidence between two keyframes; below it the two ends are two tracks."""

    gate_iou: Share = 0.3
    """Association gate: least box IoU of a propagated mask and a detection that continues it (IoU
    trackers use .3 to .5: Bewley et al., "Simple Online and Realtime Tracking", ICIP 2016)."""

    similar_label_factor: Share = 0.7
    """Factor on that IoU where the labels differ but are similar; other labels never match."""

    reidentification_iou: Share = 0.4
    """Least IoU of the masks of a lost and a new track, propagated to one frame, to be one
    object."""

    agreement_iou: Share = 0.6
    """Least IoU of propagated and decoded mask for a track that the detector missed."""

    prompt_trust: Share = 0.5
    """Trust in a propagated mask below which it is no help to the segmenter beside a box."""

    missed_factor: Share = 0.85
    """Factor on confidence for each keyframe in a row at which the detector missed the track."""

    rim: NonNegativeInt = 3
    """px; as far from a trusted patch an untrusted pixel still belongs to a mask's edge."""

    max_growth: PositiveFloat = 4.0
    """Area ratio to the nearest keyframe's mask above which a mask has leaked."""
