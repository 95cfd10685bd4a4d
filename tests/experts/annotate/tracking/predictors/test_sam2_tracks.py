"""How tracks come and go, with a memory that knows where every object is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from experts.annotate.tracking.association import DetectionCandidate
from experts.annotate.tracking.predictors.sam2_memory import Segmented
from experts.annotate.tracking.predictors.sam2_tracks import VideoSettings, VideoTracks
from experts.annotate.tracking.results import TrackedObject
from experts.masks.geometry import Box, box_iou, box_of

FRAMES, HEIGHT, WIDTH = 33, 60, 200
KEYS = (0, 16, 32)


@dataclass
class Remembered:
    number: int
    lost: bool = False
    followed: dict[int, Any] = field(default_factory=dict)


class Truth:
    """Squares of 16 px: `at[n]` gives by frame the left edge of object n, none where it is away. A
    memory follows its object until it is away, and then no more."""

    def __init__(self, *at: Mapping[int, int]) -> None:
        self.at = at
        self.shown: list[int] = []
        self.follows: list[tuple[int, int]] = []

    def mask(self, number: int, frame: int) -> np.ndarray:
        mask = np.zeros((HEIGHT, WIDTH), bool)
        left = self.at[number].get(frame)
        if left is not None:
            mask[20:36, left : left + 16] = True
        return mask

    def detections(
        self, *, but: Sequence[tuple[int, int]] = ()
    ) -> dict[int, list[DetectionCandidate]]:
        """At each keyframe, but those (frame, number)."""
        return {
            key: [
                DetectionCandidate(f"thing {n}", 0.9 - n / 100, box)
                for n in range(len(self.at))
                if (box := box_of(self.mask(n, key))) is not None and (key, n) not in but
            ]
            for key in KEYS
        }

    def show(self, number: int) -> None:
        self.shown.append(number)

    def prompt(self, box: Box) -> tuple[Segmented, Remembered]:
        masks = [self.mask(n, self.shown[-1]) for n in range(len(self.at))]
        fits = [box_iou(box_of(mask) or (0, 0, 0, 0), box) for mask in masks]
        best = int(np.argmax(fits))
        return Segmented(masks[best], 0.9), Remembered(best)

    def follow(self, memory: Remembered) -> Segmented:
        mask = self.mask(memory.number, self.shown[-1])
        self.follows.append((memory.number, self.shown[-1]))
        memory.lost |= not mask.any()
        return Segmented(np.zeros_like(mask), 0.0) if memory.lost else Segmented(mask, 0.9)


def tracked(
    truth: Truth, detections: Mapping[int, Sequence[DetectionCandidate]], **settings: Any
) -> tuple[list[TrackedObject], Truth, Truth]:
    forward, backward = Truth(*truth.at), Truth(*truth.at)
    run = VideoTracks(
        (FRAMES, HEIGHT, WIDTH),
        detections,
        forward,  # type: ignore[arg-type]
        backward,  # type: ignore[arg-type]
        VideoSettings(**settings),
    )
    return run.objects(lambda: None), forward, backward


def always(left: int) -> dict[int, int]:
    return {t: left for t in range(FRAMES)}


def test_what_is_detected_at_each_keyframe_is_followed_once() -> None:
    truth = Truth(always(10), {t: 60 + 2 * t for t in range(FRAMES)})
    found, forward, backward = tracked(truth, truth.detections())
    assert sorted(track.label for track in found) == ["thing 0", "thing 1"]
    for track in found:
        number = int(track.label[-1])
        expected = np.stack([truth.mask(number, t) for t in range(FRAMES)])
        np.testing.assert_array_equal(track.masks, expected)
        assert (track.first, track.last) == (0, FRAMES - 1)
    assert forward.shown == list(range(FRAMES))  # each frame is encoded once, for both
    assert backward.shown == []


def test_what_enters_late_is_followed_back_to_where_it_entered() -> None:
    truth = Truth(always(10), {t: 100 for t in range(9, FRAMES)})
    found, _, backward = tracked(truth, truth.detections())
    late = next(track for track in found if track.label == "thing 1")
    assert (late.first, late.last) == (9, FRAMES - 1)
    # It was born at 16; it is looked for 16 frames more, and the first object is not.
    assert backward.shown == list(range(15, -1, -1))
    assert {number for number, _ in backward.follows} == {1}


def test_an_object_long_gone_is_no_longer_followed() -> None:
    truth = Truth({t: 10 for t in range(5)}, always(100))
    _, forward, _ = tracked(truth, truth.detections(), absent_frames=4, min_frames=1)
    assert max(frame for number, frame in forward.follows if number == 0) == 8


def test_an_object_found_again_is_one_track() -> None:
    """Hidden on two frames the memory loses it; going back from the next keyframe it is met."""

    class Hidden(Truth):
        def follow(self, memory: Remembered) -> Segmented:
            if self.shown[-1] in (6, 7) and len(self.shown) > 1 and self.shown[-1] > self.shown[-2]:
                memory.lost = True  # forward only
            return super().follow(memory)

    truth = Hidden(always(10))
    forward, backward = Hidden(*truth.at), Hidden(*truth.at)
    run = VideoTracks(
        (FRAMES, HEIGHT, WIDTH),
        truth.detections(),
        forward,  # type: ignore[arg-type]
        backward,  # type: ignore[arg-type]
        VideoSettings(),
    )
    (found,) = run.objects(lambda: None)
    assert (found.first, found.last) == (0, FRAMES - 1)
    assert all(found.masks.areas)


def test_a_track_that_meets_another_on_the_way_back_ends_there() -> None:
    """Two objects that were one square until frame 8: the later one does not repeat the first."""
    truth = Truth(always(10), {t: 10 if t <= 8 else 10 + 5 * (t - 8) for t in range(FRAMES)})
    found, _, _ = tracked(truth, truth.detections(but=[(0, 1)]))
    by_label = {track.label: track for track in found}
    assert by_label["thing 0"].first == 0
    # 10 px of 16 shared is an IoU below one half, 11 above: at frame 9 they are 5 px apart.
    assert by_label["thing 1"].first == 10


def test_votes_decide_a_label() -> None:
    truth = Truth(always(10))
    detections = truth.detections()
    detections[16] = [DetectionCandidate("lorry", 0.95, detections[16][0].box)]
    detections[32] = [DetectionCandidate("lorry", 0.95, detections[32][0].box)]
    (found,), _, _ = tracked(truth, detections)
    assert (found.label, found.score) == ("lorry", 0.95)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_no_more_are_followed_than_may_be(most: int) -> None:
    truth = Truth(*(always(40 * n) for n in range(4)))
    found, forward, _ = tracked(truth, truth.detections(), max_objects=most)
    assert len(found) == most
    assert len({number for number, _ in forward.follows}) == most


def test_a_part_of_an_object_of_that_label_is_not_another() -> None:
    truth = Truth(always(10))
    detections = truth.detections()

    class Parts(Truth):
        def prompt(self, box: Box) -> tuple[Segmented, Remembered]:
            found, memory = super().prompt(box)
            if box[2] - box[0] < 8:
                mask = np.zeros_like(found.mask)
                mask[20:36, 12:18] = True
                return Segmented(mask, 0.9), memory
            return found, memory

    for candidates in detections.values():
        candidates.append(DetectionCandidate("thing 0", 0.5, (12, 20, 18, 36)))
    run = VideoTracks(
        (FRAMES, HEIGHT, WIDTH),
        detections,
        Parts(*truth.at),  # type: ignore[arg-type]
        Parts(*truth.at),  # type: ignore[arg-type]
        VideoSettings(),
    )
    assert len(run.objects(lambda: None)) == 1
