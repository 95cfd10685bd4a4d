"""Which objects come out again behind a removed one, and where nothing tells how."""

from __future__ import annotations

import numpy as np
import pytest

from catalog.errors import BadInput
from experts.base import Masks
from experts.edit.remover.occlusion import occluded_objects

FRAMES, SIZE = 12, (60, 120)
STILL = np.zeros((FRAMES, 2))


def square(x: float, step: float, width: int = 20) -> Masks:
    """One that begins at `x` and goes `step` px to the right in each frame."""
    masks = np.zeros((FRAMES, *SIZE), bool)
    for t in range(FRAMES):
        left = round(x + step * t)
        masks[t, 20:40, max(left, 0) : max(left + width, 0)] = True
    return masks


def test_what_is_behind_all_the_time_and_moves_is_refused() -> None:
    hole = square(10, 3)
    behind = square(20, 3) & ~hole  # ten px of it show, at the hole's right
    with pytest.raises(BadInput) as told:
        occluded_objects([behind], hole, STILL)
    assert told.value.reason == "occludes_another"


def test_what_stands_is_background() -> None:
    hole = square(30, 0)
    assert occluded_objects([square(40, 0) & ~hole], hole, STILL) == []


def test_what_moves_with_the_camera_stands() -> None:
    hole, camera = square(10, 3), np.array([[3.0 * t, 0] for t in range(FRAMES)])
    assert occluded_objects([square(20, 3) & ~hole], hole, camera) == []


def test_what_touches_it_by_a_corner_is_not_behind() -> None:
    hole = square(10, 3)
    beside = np.roll(square(30, 3), 18, axis=1)  # its upper left corner meets the hole's side
    assert occluded_objects([beside], hole, STILL) == []


def test_what_passes_is_found() -> None:
    hole = square(50, 0)
    (found,) = occluded_objects([square(0, 8) & ~hole], hole, STILL)
    assert len(found.whole) > 0
