"""Tracks that are one object, found twice: by two phrases, or by two tracks that ran together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experts.annotate.tracking.results import GrowingTrack
from experts.annotate.tracking.settings import TrackLimits
from experts.masks.geometry import iou

SAMPLED = 8
"""Frames on which two tracks are compared."""


def without_duplicates(tracks: Sequence[GrowingTrack], limits: TrackLimits) -> list[GrowingTrack]:
    """The tracks, without those that for at least half of their frames have the masks of one of a
    higher score (of two equal scores the earlier in the list): a mean IoU above
    `limits.duplicate_iou`. Only frames of `limits.min_confidence` count."""
    kept: list[GrowingTrack] = []
    for track in sorted(tracks, key=lambda one: -one.score):
        if not any(_same(track, other, limits) for other in kept):
            kept.append(track)
    chosen = {id(track) for track in kept}
    return [track for track in tracks if id(track) in chosen]


def _same(track: GrowingTrack, other: GrowingTrack, limits: TrackLimits) -> bool:
    mine, theirs = _sure(track, limits), _sure(other, limits)
    both = sorted(mine & theirs)
    if not both or 2 * len(both) < len(mine):
        return False
    places = np.linspace(0, len(both) - 1, min(SAMPLED, len(both))).round().astype(int)
    overlaps = [iou(track.masks[both[place]], other.masks[both[place]]) for place in places]
    return float(np.mean(overlaps)) > limits.duplicate_iou


def _sure(track: GrowingTrack, limits: TrackLimits) -> set[int]:
    return {frame for frame, sure in track.confidence.items() if sure >= limits.min_confidence}
