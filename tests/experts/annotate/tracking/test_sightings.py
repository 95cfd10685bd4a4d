"""What a detector saw, held against tracks."""

import numpy as np
import pytest

from experts.annotate.detection.detect import Detection
from experts.annotate.tracking.sightings import mean_score, unfollowed

BOX = (10.0, 10.0, 50.0, 90.0)
BOXES = np.zeros((9, 4), np.float32)
BOXES[2:] = BOX


def seen(*labels_and_scores, box=BOX):
    return [Detection(label, score, box) for label, score in labels_and_scores]


def test_the_mean_is_over_the_keyframes_in_the_objects_life():
    sightings = {0: [], 4: seen(("dog", 0.8)), 8: seen(("dog", 0.6), ("cat", 0.9))}
    assert mean_score("dog", BOXES, sightings) == pytest.approx(0.7)
    assert mean_score("dog", BOXES, sightings | {6: []}) == pytest.approx(1.4 / 3)
    assert mean_score("dog", BOXES, {0: []}) is None  # there is no keyframe in it
    beside = {4: seen(("dog", 0.8), box=(60.0, 10.0, 90.0, 90.0))}
    assert mean_score("dog", BOXES, beside) == 0


def test_doubtful_vehicles_are_seen_as_any():
    assert mean_score("vehicle", BOXES, {4: seen(("truck", 0.6))}) == pytest.approx(0.6)


def test_what_no_track_follows_is_a_rival():
    other = (60.0, 10.0, 90.0, 90.0)
    legs = (12.0, 55.0, 48.0, 90.0)  # a part of the object, detected once more
    sightings = {
        4: [Detection("dog", 0.8, BOX), Detection("dog", 0.5, legs), Detection("dog", 0.4, other)],
        8: [Detection("cat", 0.9, other)],
    }
    assert unfollowed("dog", [BOXES], sightings) == [(4, other)]
    assert unfollowed("cat", [], sightings) == [(8, other)]
    assert unfollowed("dog", [BOXES], {0: seen(("dog", 0.8))}) == [(0, BOX)]  # not there yet
