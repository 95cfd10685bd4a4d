"""What every provider of the slot `shots` must do."""

from __future__ import annotations

import numpy as np
import pytest

from experts.annotate.shots import INPUT_SIZE, ShotDetector
from experts.base import Model
from experts.instances import shared
from experts.providers import chosen, providers
from experts.providers.choice import choice_of
from experts.providers.models import Models

pytestmark = pytest.mark.weights

CUT = 22


@pytest.fixture(params=sorted(providers("shots")))
def detector(request: pytest.FixtureRequest):
    return chosen(choice_of("shots", request.param), threshold=0.5)


@pytest.fixture(scope="module")
def spliced() -> list[np.ndarray]:
    """Two panning textures, one after the other, of INPUT_SIZE."""
    height, width = INPUT_SIZE
    rng = np.random.default_rng(3)
    dark, light = (
        rng.integers(low, low + 120, (height // 3, 60, 3), np.uint8).repeat(3, 0).repeat(3, 1)
        for low in (0, 130)
    )
    frames = [dark[:, t : t + width] for t in range(CUT)]
    return frames + [light[:, 2 * t : 2 * t + width] for t in range(20)]


def test_a_cut_is_found_and_every_frame_is_in_a_shot_again_after_closing(detector, spliced) -> None:
    assert isinstance(detector, Model)
    before = [frame.copy() for frame in spliced]
    found = detector.shots(iter(spliced))
    assert found == [(0, CUT), (CUT, len(spliced))]
    assert all(np.array_equal(a, b) for a, b in zip(spliced, before, strict=True))
    assert detector.shots([]) == []
    version = detector.version
    detector.load()
    detector.close()
    assert detector.version == version
    assert detector.shots(spliced) == found


def test_the_usual_choice_is_the_one_instance_with_the_recipes_threshold() -> None:
    found = chosen(Models().shots, threshold=0.37)
    assert found is shared(ShotDetector, threshold=0.37)
    assert found.threshold == 0.37
