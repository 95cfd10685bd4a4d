"""What every provider of the slot `track` must do, whatever its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog.errors import EditmillError
from experts.annotate.frame_stream import FrameStream
from experts.annotate.tracking.predictors.sam2_video import Sam2VideoTracker
from experts.annotate.tracking.predictors.sam3 import Sam3Tracker
from experts.annotate.tracking.results import TrackedObject
from experts.annotate.tracking.tracker import Tracker
from experts.base import Model
from experts.masks.geometry import box_of
from experts.providers import providers
from tests.checkpoints import sam2_video, sam3_video

FRAMES, HEIGHT, WIDTH = 6, 48, 64
PHRASES = ("cat", "red car")
LENIENT: dict[str, Any] = {"min_area": 0.0, "min_frames": 1, "min_confidence": 0.0}
"""Random weights are sure of nothing."""

Build = Callable[..., Any]


@dataclass(frozen=True)
class Found:
    label: str
    score: float
    box: tuple[float, float, float, float]


class Detector:
    """The same boxes on every frame."""

    name, version = "boxes", "1"

    def __init__(self, boxes: int = 4) -> None:
        self.boxes = boxes
        self.asked: list[tuple[str, ...]] = []

    def load(self) -> None: ...

    def close(self) -> None: ...

    def detect(
        self, frames: Sequence[np.ndarray], phrases: Sequence[str] = ()
    ) -> list[list[Found]]:
        self.asked.append(tuple(phrases))
        places = [(2 + 15 * n, 4 + 8 * n) for n in range(self.boxes)]
        return [
            [
                Found(f"thing {n}", 0.9 - n / 10, (x, y, x + 14, y + 12))
                for n, (x, y) in enumerate(places)
            ]
            for _ in frames
        ]


class Segmenter:
    """What a box holds is its ellipse."""

    name, version = "ellipses", "1"

    def load(self) -> None: ...

    def close(self) -> None: ...

    def encode(self, frame: np.ndarray) -> tuple[int, ...]:
        return frame.shape[:2]

    def decode(
        self, embedding: tuple[int, int], box: Sequence[float], prior: Any = None
    ) -> tuple[np.ndarray, float]:
        rows, columns = np.indices(embedding)
        x0, y0, x1, y1 = box
        across = (columns + 0.5 - (x0 + x1) / 2) / ((x1 - x0) / 2)
        down = (rows + 0.5 - (y0 + y1) / 2) / ((y1 - y0) / 2)
        return across**2 + down**2 <= 1, 0.9


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    pytest.importorskip("transformers")
    return {
        "sam2_video": sam2_video.make(tmp_path_factory.mktemp("sam2"), side=64),
        "sam3": sam3_video.make(tmp_path_factory.mktemp("sam3")),
    }


@pytest.fixture(scope="module", params=["keyframes", "sam2_video", "sam3"])
def build(request: pytest.FixtureRequest, checkpoints: dict[str, Path]) -> Build:
    """Makes a tracker of the provider; `boxes` are what a detector finds on each frame."""

    def keyframes(boxes: int = 4, **options: Any) -> Any:
        return Tracker(Detector(boxes), Segmenter(), **{**LENIENT, **options})

    def sam2(boxes: int = 4, **options: Any) -> Any:
        pytest.importorskip("sam2")
        given = {"checkpoint": str(checkpoints["sam2_video"]), **LENIENT, **options}
        return Sam2VideoTracker(Detector(boxes), **given)

    def sam3(boxes: int = 4, **options: Any) -> Any:
        given = {
            "checkpoint": str(checkpoints["sam3"]),
            "detection_threshold": 0.2,
            "max_objects": 1,
            **LENIENT,
            **options,
        }
        return Sam3Tracker(**given)

    made: Build = {"keyframes": keyframes, "sam2_video": sam2, "sam3": sam3}[request.param]
    return made


@pytest.fixture(scope="module")
def tracker(build: Build) -> Any:
    return build()


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    noise = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return np.stack([np.roll(noise, t, axis=1) for t in range(FRAMES)])


@pytest.fixture(scope="module")
def tracks(tracker: Any, frames: np.ndarray) -> list[TrackedObject]:
    found: list[TrackedObject] = tracker.track(frames, 3, phrases=PHRASES)
    return found


def same(a: Sequence[TrackedObject], b: Sequence[TrackedObject]) -> bool:
    return len(a) == len(b) and all(
        (x.label, x.score, x.first, x.last) == (y.label, y.score, y.first, y.last)
        and np.array_equal(x.masks, y.masks)
        and x.confidence.tobytes() == y.confidence.tobytes()
        for x, y in zip(a, b, strict=True)
    )


def test_a_stream_is_followed_as_all_frames_are(
    tracker: Any, frames: np.ndarray, tracks: list[TrackedObject]
) -> None:
    stream = FrameStream(iter(frames), frames.shape)  # type: ignore[arg-type]
    assert same(tracker.track(stream, 3, phrases=PHRASES), tracks)


def test_every_provider_of_the_slot_is_here() -> None:
    assert set(providers("track")) == {"keyframes", "sam2_video", "sam3"}


def test_a_track_is_what_the_slot_promises(tracks: list[TrackedObject]) -> None:
    assert tracks
    for track in tracks:
        assert (track.masks.shape, track.masks.dtype) == ((FRAMES, HEIGHT, WIDTH), bool)
        assert (track.confidence.shape, track.confidence.dtype) == ((FRAMES,), np.float32)
        assert (track.boxes.shape, track.boxes.dtype) == ((FRAMES, 4), np.float32)
        assert 0 <= track.first <= track.last < FRAMES
        assert 0 <= track.confidence.min() <= track.confidence.max() <= 1
        assert isinstance(track.label, str) and 0 < track.score <= 1
        outside = [t for t in range(FRAMES) if not track.first <= t <= track.last]
        assert not np.asarray(track.masks)[outside].any()
        assert not track.confidence[outside].any()
        for mask, box in zip(track.masks, track.boxes, strict=True):
            assert tuple(box) == (box_of(mask) or (0.0, 0.0, 0.0, 0.0))


def test_labels_are_the_detectors_or_the_phrases(tracks: list[TrackedObject], tracker: Any) -> None:
    detector = getattr(tracker, "detector", None)
    if detector is None:
        assert {track.label for track in tracks} <= set(PHRASES)
    else:
        assert {track.label for track in tracks} <= {f"thing {n}" for n in range(4)}
        assert PHRASES in detector.asked  # what to look for is passed on


def test_no_more_objects_than_asked_for(build: Build, frames: np.ndarray) -> None:
    assert len(build(max_objects=1).track(frames, 3, phrases=PHRASES)) <= 1


def test_same_frames_same_bytes_and_frames_as_they_were(
    tracker: Any, frames: np.ndarray, tracks: list[TrackedObject]
) -> None:
    before = frames.copy()
    assert same(tracker.track(frames, 3, phrases=PHRASES), tracks)
    np.testing.assert_array_equal(frames, before)


def test_nothing_to_follow_gives_no_tracks(build: Build, frames: np.ndarray) -> None:
    assert build(boxes=0).track(frames, 3) == []


def test_an_empty_clip_has_no_tracks(tracker: Any, frames: np.ndarray) -> None:
    assert tracker.track(frames[:0], phrases=PHRASES) == []


def test_a_clip_of_one_frame(tracker: Any, frames: np.ndarray) -> None:
    for track in tracker.track(frames[:1], phrases=PHRASES):
        assert (track.first, track.last) == (0, 0)
        assert track.masks.shape == (1, HEIGHT, WIDTH)


def test_a_stop_is_heard_within_the_clip(tracker: Any, frames: np.ndarray) -> None:
    heard = 0

    def check() -> None:
        nonlocal heard
        heard += 1
        if heard == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tracker.track(frames, 3, check, PHRASES)
    assert heard == 2


def test_it_can_be_closed_and_used_again(
    tracker: Any, frames: np.ndarray, tracks: list[TrackedObject]
) -> None:
    assert isinstance(tracker, Model)
    before = tracker.version
    tracker.close()
    tracker.close()
    tracker.load()
    tracker.load()
    assert tracker.version == before
    assert same(tracker.track(frames, 3, phrases=PHRASES), tracks)


@pytest.mark.parametrize("kind", [Sam2VideoTracker, Sam3Tracker])
def test_a_bad_checkpoint_is_told_in_one_line(kind: Any, tmp_path: Path) -> None:
    given = {"detector": Detector()} if kind is Sam2VideoTracker else {}
    with pytest.raises(EditmillError) as told:
        kind(checkpoint=str(tmp_path), **given).load()
    assert "model.safetensors" in str(told.value) and "\n" not in str(told.value)
    for name in ("config.json", "model.safetensors", "processor_config.json"):
        (tmp_path / name).write_text("{}")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(EditmillError) as told:
        kind(checkpoint=str(tmp_path), **given).load()
    assert "models.track" in str(told.value) and "\n" not in str(told.value)


def test_one_without_a_detector_says_which_to_name() -> None:
    with pytest.raises(EditmillError, match=r"models\.detect"):
        Sam2VideoTracker()
