"""What every detector promises: see `experts.annotate.tracking.lifecycle.ObjectDetector`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experts.annotate.detection.detect import Detector
from experts.annotate.detection.grounding_dino import GroundingDino
from experts.base import Model
from experts.providers import providers
from tests.checkpoints import grounding_dino
from tests.experts.model_lifecycle import check_bad_checkpoint, check_lifecycle

MADE = {
    # Noise has no objects: a low threshold makes them find some all the same
    "efficientdet_lite2": lambda checkpoint: Detector(threshold=0.02, threads=1),
    "grounding_dino": lambda checkpoint: GroundingDino(
        checkpoint=checkpoint, vocabulary=("person", "car"), batch=2
    ),
}
PHRASES = ("Red car", "a dog", "traffic cone")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("transformers")
    return str(grounding_dino.make(tmp_path_factory.mktemp("detectors") / "dino"))


@pytest.fixture(
    params=[pytest.param("efficientdet_lite2", marks=pytest.mark.weights), "grounding_dino"]
)
def make(request: pytest.FixtureRequest, checkpoint: str) -> Callable[[], Any]:
    return lambda: MADE[request.param](checkpoint)


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (72, 96, 3), np.uint8) for _ in range(3)]


def test_every_provider_of_the_registry_is_here() -> None:
    assert set(MADE) == set(providers("detect"))


def test_it_lives_as_models_do(make: Callable[[], Any], frames: list[np.ndarray]) -> None:
    assert isinstance(make(), Model)
    check_lifecycle(make, lambda detector: detector.detect(frames[:1]))


@pytest.mark.parametrize("phrases", [(), PHRASES])
def test_boxes_lie_in_the_frame_best_first(
    make: Callable[[], Any], frames: list[np.ndarray], phrases: tuple[str, ...]
) -> None:
    before = [frame.copy() for frame in frames]
    detector = make()
    found = detector.detect(frames, phrases)
    assert len(found) == 3 and any(found)
    for each in found:
        scores = [one.score for one in each]
        assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)
        for one in each:
            x0, y0, x1, y1 = one.box
            assert 0 <= x0 < x1 <= 96 and 0 <= y0 < y1 <= 72
            assert isinstance(one.label, str) and one.label
    assert all((frame == kept).all() for frame, kept in zip(frames, before, strict=True))
    assert detector.detect(frames, phrases) == found
    assert detector.detect([], phrases) == []


def test_a_batch_is_its_frames(make: Callable[[], Any], frames: list[np.ndarray]) -> None:
    detector = make()
    alone = [detector.detect([frame])[0] for frame in frames]
    for together, one in zip(detector.detect(frames), alone, strict=True):
        assert [each.label for each in together] == [each.label for each in one]
        assert np.allclose([e.box for e in together], [e.box for e in one], atol=0.01)


def test_a_checkpoint_that_cannot_be_had_is_one_line(checkpoint: str, tmp_path: Path) -> None:
    check_bad_checkpoint(GroundingDino, Path(checkpoint), tmp_path / "bad")
