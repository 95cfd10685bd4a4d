"""Tracking of known objects in made scenes, with a detector and a segmenter that know the truth."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from experts.annotate.frame_stream import FrameStream
from experts.annotate.tracking.segment import Segmenter
from experts.annotate.tracking.tracker import TrackedObject, Tracker, keyframes
from experts.masks.geometry import box_iou, box_of, dilate, iou
from experts.progress import heard_by

HEIGHT, WIDTH = 168, 296
LEAST_SEEN = 0.002 * HEIGHT * WIDTH  # px, the tracker's own least area


@functools.cache
def texture(height: int, width: int, seed: int, low: int, high: int) -> np.ndarray:
    noise = np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)
    blobs = cv2.GaussianBlur(noise, (0, 0), 2)
    blobs = (blobs - blobs.min()) / (blobs.max() - blobs.min())
    return np.round(low + blobs * (high - low)).astype(np.uint8)


@dataclass(frozen=True)
class Actor:
    """A textured shape; `at(t)` is its centre in px. Later actors stand in front."""

    at: Callable[[int], tuple[float, float]]
    label: str = "car"
    radius: int = 26
    shape: str = "disc"
    seed: int = 1

    def paint(self, frame: np.ndarray, t: int) -> np.ndarray:
        x, y = (round(value) for value in self.at(t))
        rows, columns = np.ogrid[:HEIGHT, :WIDTH]
        dx, dy = columns - x, rows - y
        if self.shape == "disc":
            mask = dx**2 + dy**2 <= self.radius**2
        else:
            mask = (abs(dx) <= self.radius) & (abs(dy) <= self.radius)
        skin = texture(2 * self.radius + 1, 2 * self.radius + 1, self.seed, 120, 255)
        down, across = np.nonzero(mask)
        frame[mask] = skin[down - y + self.radius, across - x + self.radius]
        return mask


@dataclass(frozen=True)
class Found:
    label: str
    score: float
    box: tuple[float, float, float, float]


class Scene:
    """Frames, the visible part of every actor, and the two models that know it."""

    name, version = "scene", "1"

    def __init__(self, actors: Sequence[Actor], frames: int, pan: float = 0.0) -> None:
        self.actors = actors
        self.blind: dict[int, set[int]] = {}  # frame → actors the detector misses there
        self.encoded: list[int] = []
        ground = texture(HEIGHT, WIDTH + round(abs(pan) * frames) + 1, 99, 0, 140)
        self.truth = np.zeros((len(actors), frames, HEIGHT, WIDTH), bool)
        self.frames = np.empty((frames, HEIGHT, WIDTH, 3), np.uint8)
        for t in range(frames):
            frame = ground[:, round(pan * t) : round(pan * t) + WIDTH].copy()
            for number, actor in enumerate(actors):
                mask = actor.paint(frame, t)
                self.truth[:number, t] &= ~mask
                self.truth[number, t] = mask
            self.frames[t] = frame
        self._number = {frame.tobytes(): t for t, frame in enumerate(self.frames)}

    def load(self) -> None: ...

    def close(self) -> None: ...

    def detect(
        self, frames: Sequence[np.ndarray], phrases: Sequence[str] = ()
    ) -> list[list[Found]]:
        return [self._found(self._number[frame.tobytes()]) for frame in frames]

    def _found(self, t: int) -> list[Found]:
        found = []
        for number, actor in enumerate(self.actors):
            box = box_of(self.truth[number, t])
            visible = np.count_nonzero(self.truth[number, t]) > LEAST_SEEN
            if box is not None and visible and number not in self.blind.get(t, set()):
                found.append(Found(actor.label, 0.8 - 0.01 * number, box))
        return found

    def encode(self, frame: np.ndarray) -> int:
        self.encoded.append(self._number[frame.tobytes()])
        return self.encoded[-1]

    def decode(
        self,
        embedding: int,
        box: tuple[float, float, float, float],
        prior: np.ndarray | None = None,
    ) -> tuple[np.ndarray, float]:
        """The actor that fits the box best, with a pixel of error; else what the box holds."""
        boxes = [(box_of(mask), mask) for mask in self.truth[:, embedding]]
        fit, best = max(
            ((box_iou(box, one), mask) for one, mask in boxes if one is not None),
            key=lambda entry: entry[0],
            default=(0.0, np.zeros((HEIGHT, WIDTH), bool)),
        )
        if fit < 0.3:
            return np.zeros((HEIGHT, WIDTH), bool), 0.2
        rng = np.random.default_rng(embedding)
        rim = dilate(best, 1) & ~dilate(best, -1)
        return best ^ (rim & (rng.random(best.shape) < 0.3)), 0.95


def still(x: float, y: float) -> Callable[[int], tuple[float, float]]:
    return lambda t: (x, y)


def moving(x: float, y: float, dx: float, dy: float = 0.0) -> Callable[[int], tuple[float, float]]:
    return lambda t: (x + dx * t, y + dy * t)


def mean_iou(found: TrackedObject, truth: np.ndarray) -> float:
    alive = range(found.first, found.last + 1)
    return float(np.mean([iou(found.masks[t], truth[t]) for t in alive]))


def visible(truth: np.ndarray) -> tuple[int, int]:
    """First and last frame where an object covers the least area."""
    seen = np.flatnonzero(truth.sum(axis=(1, 2)) > LEAST_SEEN)
    return int(seen[0]), int(seen[-1])


@pytest.mark.parametrize("frames", [1, 2, 9, 16, 17, 33, 64, 500])
def test_keyframes_cover_the_clip_evenly(frames: int) -> None:
    keys = keyframes(frames, 16)
    assert keys[0] == 0
    assert keys[-1] == frames - 1
    gaps = np.diff(keys)
    assert (gaps > 0).all()
    assert gaps.max(initial=0) <= 24
    assert gaps.max(initial=0) - gaps.min(initial=24) <= 1


@pytest.mark.parametrize("shape", ["disc", "square"])
def test_a_moving_object_is_covered_in_every_frame(shape: str) -> None:
    scene = Scene([Actor(moving(60, 60, 4, 1.5), shape=shape)], frames=33, pan=1.0)
    (found,) = Tracker(scene, scene).track(scene.frames)
    assert (found.label, found.first, found.last) == ("car", 0, 32)
    assert found.score == pytest.approx(0.8)
    assert mean_iou(found, scene.truth[0]) > 0.9
    assert min(iou(found.masks[t], scene.truth[0, t]) for t in range(33)) > 0.85
    assert found.confidence.min() > 0.5
    assert scene.encoded == [0, 16, 32]


def test_boxes_are_those_of_the_masks_and_nothing_lies_outside_the_track() -> None:
    scene = Scene([Actor(moving(340, 80, -6))], frames=33)
    (found,) = Tracker(scene, scene).track(scene.frames)
    assert found.first > 0
    for t in range(33):
        inside = found.first <= t <= found.last
        assert found.masks[t].any() == inside
        assert tuple(found.boxes[t]) == (box_of(found.masks[t]) or (0, 0, 0, 0))
        assert (found.confidence[t] > 0) == inside


def test_an_object_that_leaves_ends_its_track_where_it_left() -> None:
    scene = Scene([Actor(moving(200, 80, 5))], frames=33)
    (found,) = Tracker(scene, scene).track(scene.frames)
    first, last = visible(scene.truth[0])
    assert last < 30
    assert found.first == first == 0
    assert abs(found.last - last) <= 2
    assert mean_iou(found, scene.truth[0]) > 0.85


def test_an_object_that_enters_late_is_followed_back_to_its_entry() -> None:
    scene = Scene([Actor(moving(-100, 80, 5))], frames=33)
    (found,) = Tracker(scene, scene).track(scene.frames)
    first, last = visible(scene.truth[0])
    assert first > 10
    assert abs(found.first - first) <= 2
    assert found.last == last == 32
    assert mean_iou(found, scene.truth[0]) > 0.85


def test_crossing_objects_keep_their_identity() -> None:
    actors = [
        Actor(moving(50, 80, 4.5), radius=24, seed=1),
        Actor(moving(250, 100, -4.5), radius=24, shape="square", seed=2),
    ]
    scene = Scene(actors, frames=45)
    tracks = Tracker(scene, scene).track(scene.frames)
    assert len(tracks) == 2
    for truth in scene.truth:
        (found,) = [one for one in tracks if iou(one.masks[0], truth[0]) > 0.5]
        assert found.last == 44
        assert iou(found.masks[44], truth[44]) > 0.85
        assert mean_iou(found, truth) > 0.8


def test_a_detection_missed_at_one_keyframe_does_not_break_the_track() -> None:
    scene = Scene([Actor(moving(60, 80, 3))], frames=33)
    scene.blind[16] = {0}
    (found,) = Tracker(scene, scene).track(scene.frames)
    assert (found.first, found.last) == (0, 32)
    assert mean_iou(found, scene.truth[0]) > 0.9
    assert found.confidence[16] < found.confidence[32]


def test_an_object_first_missed_is_followed_back_to_the_keyframe_before() -> None:
    scene = Scene([Actor(moving(60, 80, 3))], frames=33)
    scene.blind[0] = {0}
    (found,) = Tracker(scene, scene).track(scene.frames)
    assert found.first == 0
    assert mean_iou(found, scene.truth[0]) > 0.85


def test_an_object_that_vanishes_behind_another_loses_its_track() -> None:
    wall = Actor(still(180, 80), label="truck", radius=50, shape="square", seed=3)
    scene = Scene([Actor(moving(60, 80, 4), radius=16), wall], frames=49)
    tracks = Tracker(scene, scene).track(scene.frames)
    (car,) = [one for one in tracks if one.label == "car" and one.first == 0]
    hidden = int(np.flatnonzero(scene.truth[0].sum(axis=(1, 2)) <= LEAST_SEEN)[0])
    assert hidden - 4 <= car.last <= hidden + 2


def test_a_wavering_label_is_still_one_track() -> None:
    class Wavering(Scene):
        def _found(self, t: int) -> list[Found]:
            label = "truck" if t == 16 else "car"
            return [Found(label, one.score, one.box) for one in super()._found(t)]

    scene = Wavering([Actor(moving(60, 80, 3))], frames=33)
    (found,) = Tracker(scene, scene).track(scene.frames)
    assert (found.label, found.first, found.last) == ("car", 0, 32)


def test_two_boxes_on_one_object_are_one_track() -> None:
    class Doubled(Scene):
        def _found(self, t: int) -> list[Found]:
            found = super()._found(t)
            return found + [Found("bus", 0.5, one.box) for one in found]

    scene = Doubled([Actor(moving(60, 80, 3))], frames=33)
    (found,) = Tracker(scene, scene).track(scene.frames)
    assert found.label == "car"


def test_the_largest_objects_are_kept() -> None:
    actors = [Actor(still(30 + 58 * i, 80), radius=12 + 3 * i, seed=i) for i in range(5)]
    scene = Scene(actors, frames=17)
    tracks = Tracker(scene, scene, max_objects=2).track(scene.frames)
    kept = [
        [iou(one.masks[8], truth[8]) > 0.7 for truth in scene.truth].index(True) for one in tracks
    ]
    assert kept == [4, 3]


def test_an_empty_scene_costs_no_encode() -> None:
    scene = Scene([], frames=17)
    assert Tracker(scene, scene).track(scene.frames) == []
    assert scene.encoded == []


def test_specks_are_not_tracked() -> None:
    scene = Scene([Actor(still(80, 80), radius=4)], frames=17)
    assert Tracker(scene, scene).track(scene.frames) == []


def test_one_frame_is_a_clip_too() -> None:
    scene = Scene([Actor(still(80, 80))], frames=1)
    (found,) = Tracker(scene, scene).track(scene.frames)
    assert (found.first, found.last) == (0, 0)
    assert iou(found.masks[0], scene.truth[0, 0]) > 0.9


def test_large_frames_are_tracked_small_and_answered_large() -> None:
    scene = Scene([Actor(moving(60, 60, 4))], frames=9)
    large = np.stack([cv2.resize(frame, (4 * WIDTH, 4 * HEIGHT)) for frame in scene.frames])

    class Large(Scene):
        def __init__(self) -> None:
            self.__dict__ |= scene.__dict__
            self._number = {frame.tobytes(): t for t, frame in enumerate(large)}

        def _found(self, t: int) -> list[Found]:
            return [
                Found(one.label, one.score, tuple(4 * value for value in one.box))  # type: ignore[arg-type]
                for one in super()._found(t)
            ]

        def decode(self, embedding, box, prior=None):  # type: ignore[no-untyped-def]
            assert prior is None or prior.shape == large.shape[1:3]
            mask, quality = super().decode(embedding, tuple(v / 4 for v in box))  # type: ignore[arg-type]
            big = cv2.resize(mask.astype(np.uint8), (4 * WIDTH, 4 * HEIGHT)) > 0
            return big, quality

    (found,) = Tracker(Large(), Large()).track(large)
    assert found.masks.shape == large.shape[:3]
    truth = np.stack(
        [cv2.resize(m.astype(np.float32), (4 * WIDTH, 4 * HEIGHT)) > 0.5 for m in scene.truth[0]]
    )
    assert mean_iou(found, truth) > 0.9


def test_the_same_clip_gives_the_same_tracks() -> None:
    scene = Scene([Actor(moving(60, 60, 4)), Actor(moving(220, 110, -3), seed=2)], frames=17)
    for one, other in zip(
        Tracker(scene, scene).track(scene.frames),
        Tracker(scene, scene).track(scene.frames),
        strict=True,
    ):
        assert np.array_equal(one.masks, other.masks)
        assert np.array_equal(one.confidence, other.confidence)


def test_no_more_than_from_one_keyframe_to_the_next_is_in_memory() -> None:
    scene = Scene([Actor(moving(60, 60, 1))], frames=33)
    alive: list[weakref.ref[np.ndarray]] = []
    most = 0

    def read() -> Iterator[np.ndarray]:
        nonlocal most
        for frame in scene.frames:
            copy = frame.copy()
            alive.append(weakref.ref(copy))
            most = max(most, sum(each() is not None for each in alive))
            yield copy

    stream = FrameStream(read(), scene.frames.shape)  # type: ignore[arg-type]
    (streamed,) = Tracker(scene, scene).track(stream, 8)
    (found,) = Tracker(scene, scene).track(scene.frames, 8)
    assert np.array_equal(streamed.masks, found.masks)
    assert most <= 8 + 3  # the one being read, and the one before in the loop above


def test_a_fast_object_gets_a_keyframe_half_way() -> None:
    scene = Scene([Actor(moving(40, 80, 20), radius=20)], frames=17)
    Tracker(scene, scene).track(scene.frames)
    assert scene.encoded == [0, 8]


@pytest.mark.weights
def test_real_masks_of_a_moving_disc() -> None:
    scene = Scene([Actor(moving(60, 60, 6, 2))], frames=17, pan=1.0)
    (found,) = Tracker(scene, Segmenter()).track(scene.frames)
    assert (found.first, found.last) == (0, 16)
    assert mean_iou(found, scene.truth[0]) > 0.85


def test_who_waits_is_told_of_objects_and_frames():
    told: list[tuple[str, int, int]] = []
    scene = Scene([Actor(lambda t: (90 + t, 80))], 33)
    with heard_by(lambda *said: told.append(said)):
        Tracker(scene, scene).track(scene.frames, 16)
    assert told == [("tracking 1 object", 0, 33), ("tracking 1 object", 16, 33)]
