"""Tracks that are one object."""

from __future__ import annotations

import numpy as np

from experts.annotate.tracking.predictors.duplicates import without_duplicates
from experts.annotate.tracking.results import GrowingTrack
from experts.annotate.tracking.settings import TrackLimits


def track(score: float, left: int, frames: range, sure: float = 0.9) -> GrowingTrack:
    mask = np.zeros((20, 60), bool)
    mask[5:15, left : left + 10] = True
    made = GrowingTrack("thing", score, mask, sure)
    for frame in frames:
        made.put(frame, mask, sure)
    return made


def test_of_two_tracks_on_one_object_the_surer_is_kept() -> None:
    lesser, better, other = (
        track(0.5, 10, range(10)),
        track(0.8, 11, range(20)),
        track(0.4, 40, range(10)),
    )
    assert without_duplicates([lesser, better, other], TrackLimits()) == [better, other]


def test_two_that_met_for_a_moment_are_two() -> None:
    passing = track(0.5, 30, range(10))
    passing.put(10, track(0.8, 10, range(1)).mask, 0.9)
    standing = track(0.8, 10, range(20))
    assert without_duplicates([passing, standing], TrackLimits()) == [passing, standing]
