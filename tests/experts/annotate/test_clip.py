"""What becomes of tracked objects whose labels the footage's section does not name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import catalog
from catalog.records import Clip
from experts.annotate.clip import annotate
from experts.annotate.rules import Annotate
from experts.annotate.tracking.tracker import TrackedObject
from experts.masks.packed import MaskTrack

FRAMES, HEIGHT, WIDTH = 32, 100, 200


class Found:
    """A tracker that finds what it was made with."""

    def __init__(self, *objects: TrackedObject) -> None:
        self.objects = objects

    def track(self, frames, interval, check_stop, phrases):
        return self.objects


def tracked(label: str, x: int) -> TrackedObject:
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    masks[:, 40:70, x : x + 30] = True
    boxes = np.tile(np.float32([x, 40, x + 30, 70]), (FRAMES, 1))
    packed = MaskTrack(masks, (HEIGHT, WIDTH))
    return TrackedObject(label, 0.8, packed, np.ones(FRAMES, np.float32), 0, FRAMES - 1, boxes)


@pytest.mark.parametrize(
    ("labels", "rivals"),
    [
        (["car"], [0, 160, 40, 190, 70, 16, 160, 40, 190, 70]),  # not the person
        ([], []),  # the vehicle has a track of its own
    ],
)
def test_what_may_be_taken_for_a_car_is_among_its_rivals(
    tmp_path: Path, labels: list[str], rivals: list[float]
) -> None:
    clip = Clip("c", "s", "u", "MIT", "v", 0, FRAMES, 25.0, WIDTH, HEIGHT, labels=labels)
    found = Found(tracked("car", 100), tracked("vehicle", 160), tracked("person", 20))
    frames = np.full((FRAMES, HEIGHT, WIDTH, 3), 90, np.uint8)
    store = catalog.open(tmp_path / "set", create=True).media
    annotation = annotate(clip, iter(frames), store, found, Annotate())
    car = annotation.tracks[0]
    assert (car.label, car.rivals) == ("car", rivals)
    assert len(annotation.tracks) == (1 if labels else 3)


def test_what_the_background_shows_behind_an_object_is_told(tmp_path: Path) -> None:
    clip = Clip("c", "s", "u", "MIT", "v", 0, FRAMES, 25.0, WIDTH, HEIGHT)
    frames = np.full((FRAMES, HEIGHT, WIDTH, 3), 90, np.uint8)
    frames[:, 40:70, 100:130] = 200  # the car came; the vehicle is as grey as the ground
    background = np.full((HEIGHT, WIDTH, 4), 90, np.uint8)
    background[..., 3] = 255
    store = catalog.open(tmp_path / "set", create=True).media
    objects = [
        replace(tracked(label, x), confidence=np.full(FRAMES, 0.5, np.float32))
        for label, x in (("car", 100), ("vehicle", 160))
    ]
    for given, uncovered in ((background, [True, False]), (None, [False, False])):
        found = annotate(clip, iter(frames), store, Found(*objects), Annotate(), background=given)
        assert [track.uncovered for track in found.tracks] == uncovered
        assert [min(track.confidence) for track in found.tracks] == pytest.approx(
            [1.0 if each else 0.5 for each in uncovered], abs=0.01
        )
